"""Made-up pixels to try a script with: plausible ones, and those without data."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_sentinelhub.client.evalscript.sources import Feed

_OF_UNIT = {
    "REFLECTANCE": 0.1,
    "DEGREES": 40.0,
    "PERCENT": 10.0,
    "OPTICAL_DEPTH": 0.1,
    "LINEAR_POWER": 0.05,
    "METERS": 300.0,
    "BRIGHTNESS_TEMPERATURE": 290.0,
    "SURFACE_TEMPERATURE": 290.0,
    "FRACTION": 0.5,
    "HECTOPASCALS": 1013.0,
    "PASCALS": 70_000.0,
}
_OF_BAND = {"dataMask": 1.0, "SCL": 4.0, "CLM": 0.0, "CLP": 20.0, "CLD": 10.0, "SNW": 0.0}
LAST = datetime(2020, 7, 29, 18, 40, tzinfo=timezone.utc)


def typical(feed: Feed) -> dict[str, float]:
    """Return a sample with data; bands differ a little, so that their differences are not 0."""
    return {
        band: _OF_BAND.get(band, _OF_UNIT.get(unit or "DN", 1000.0) * (1 + index / 8))
        for index, (band, unit) in enumerate(feed.units.items())
    }


def blank(feed: Feed) -> dict[str, float]:
    """Return a sample without data: all 0, but NaN for Landsat (documented)."""
    nothing = math.nan if feed.source.type.startswith("landsat") else 0.0
    return {band: 0.0 if band == "dataMask" else nothing for band in feed.units}


def scene(date: datetime) -> dict[str, Any]:
    """Return a made-up scene of that time, as ``host.js`` expects it."""
    path = f"s3://sentinel-s2-l1c/tiles/11/S/KA/{date.year}/{date.month}/{date.day}/0"
    ring = [[240000, 4000000], [250000, 4000000], [250000, 4010000], [240000, 4000000]]
    outline = {"type": "Polygon", "coordinates": [ring]}
    tile = {
        "shId": 15161628,
        "cloudCoverage": 2.09,
        "dataPath": path,
        "dataGeometry": outline,
        "dataEnvelope": outline,
    }
    return {"date": iso(date), "tile": tile}


def scenes(count: int) -> list[dict[str, Any]]:
    """Return made-up scenes, the most recent first, five days apart."""
    return [scene(LAST - timedelta(days=5 * index)) for index in range(count)]


def period(dates: Iterable[datetime] = ()) -> dict[str, str]:
    """Return the request's time range, around those dates."""
    known = [*dates, LAST, LAST - timedelta(days=28)]
    return {"from": iso(min(known)), "to": iso(max(known))}


def iso(moment: datetime) -> str:
    """Write a date-time as the service does."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
