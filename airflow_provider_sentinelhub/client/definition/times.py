"""Time ranges: two moments, both included, in RFC 3339 with their zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timezone
from typing import Any

from airflow_provider_sentinelhub.client.definition.rules import shown
from airflow_provider_sentinelhub.client.errors import Fault

_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?\s*(?:([zZ])|([+-]\d\d):?(\d\d)?)?"
)
_REMEDY = "Give (first, last), such as ('2020-07-01', '2020-07-31'); a date means the whole day"


def time_range(value: Any, path: str, faults: list[Fault]) -> dict[str, str] | None:
    """Read a pair of dates, date-times or texts, or one text ``first/last``; None if it cannot be read.

    A date means its whole day, the last one included; times without a zone are UTC.
    """
    try:
        first, last = _pair(value)
        start, end = _moment(first, last=False), _moment(last, last=True)
    except (TypeError, ValueError) as error:
        faults.append(Fault(path, f"cannot be read: {error}", _REMEDY))
        return None
    if start > end:
        faults.append(Fault(path, f"runs backwards, from {_rfc3339(start)} to {_rfc3339(end)}", _REMEDY))
    return {"from": _rfc3339(start), "to": _rfc3339(end)}


def _pair(value: Any) -> Any:
    pair = value.split("/") if isinstance(value, str) else value
    if isinstance(pair, Mapping) or not hasattr(pair, "__len__") or len(pair) != 2:
        raise ValueError(f"{shown(value)} is not a first and a last date")
    return pair


def _moment(value: Any, *, last: bool) -> datetime:
    if isinstance(value, str):
        value = _parsed(value.strip())
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)
    if isinstance(value, date):
        time = datetime.max.time().replace(microsecond=0) if last else datetime.min.time()
        return datetime.combine(value, time, tzinfo=timezone.utc)
    raise TypeError(f"{shown(value)} is neither a date nor a date-time")


def _parsed(text: str) -> date | datetime:
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is neither a date (2020-07-01) nor a date-time (2020-07-01T10:30:00Z)")
    day, minute, second, decimals, utc, hours, minutes = found.groups()
    if minute is None:
        return date.fromisoformat(day)
    zone = "+00:00" if utc else f"{hours}:{minutes or '00'}" if hours else ""
    return datetime.fromisoformat(f"{day}T{minute}:{second or '00'}.{(decimals or '0')[:6]:0<6}{zone}")


def _rfc3339(moment: datetime) -> str:
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"
