"""What an account has spent on batch requests, by Dag and month."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.fingerprint import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_sentinelhub.client.batch import BatchClient
    from airflow_provider_sentinelhub.client.models import BatchRequest


@dataclass(frozen=True)
class Spending:
    """The ``pu`` of the requests that a Dag made in a month (``2026-11``, UTC).

    ``dag_id`` is empty for requests that this provider did not make, or not a version that named the Dag.
    """

    month: str
    dag_id: str
    requests: int
    pu: float


def spending(
    client: BatchClient, since: datetime | None = None, until: datetime | None = None
) -> list[Spending]:
    """Sum up ``costPU`` of the account's requests that were created from ``since`` on and before ``until``.

    Times without a zone are UTC. A request counts in the month in which it was created. One that the service
    has forgotten is not in it. Newest month first, then by Dag.
    """
    since, until = _utc(since), _utc(until)
    sums: dict[tuple[str, str], list[float]] = defaultdict(list)
    for request in _created_between(client.iter_requests(sort="created:desc"), since, until):
        mark = Fingerprint.read(request.description)
        month = f"{request.created:%Y-%m}" if request.created else ""
        sums[month, mark.dag_id if mark else ""].append(request.cost_pu or 0.0)
    rows = [Spending(month, dag_id, len(pu), sum(pu)) for (month, dag_id), pu in sums.items()]
    rows.sort(key=lambda row: row.dag_id)
    return sorted(rows, key=lambda row: row.month, reverse=True)


def _created_between(
    requests: Iterable[BatchRequest], since: datetime | None, until: datetime | None
) -> Iterable[BatchRequest]:
    for request in requests:
        created = request.created
        if created is not None and since is not None and created < since:
            return  # the rest is older
        if created is None or until is None or created < until:
            yield request


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def table(rows: Iterable[Spending]) -> str:
    """Return one line for each month and Dag, in columns, and their sum."""
    rows = list(rows)
    width = max([3, len("(other)"), *(len(row.dag_id) for row in rows)])
    lines = [f"{'month':<7}  {'Dag':<{width}}  {'requests':>8}  {'PU':>14}"]
    lines += [
        f"{row.month:<7}  {row.dag_id or '(other)':<{width}}  {row.requests:>8,}  {row.pu:>14,.2f}"
        for row in rows
    ]
    count, pu = sum(row.requests for row in rows), sum(row.pu for row in rows)
    return "\n".join([*lines, f"{'sum':<7}  {'':<{width}}  {count:>8,}  {pu:>14,.2f}"])
