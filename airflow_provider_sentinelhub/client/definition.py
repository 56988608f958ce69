"""What to compute, in the author's words, and the one wire form that it becomes."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_sentinelhub.client.fingerprint import Fingerprint
    from airflow_provider_sentinelhub.client.models import TilingGrid

_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_MOSAICKING_ORDERS = ("mostRecent", "leastRecent", "leastCC")
_RASTER_FORMATS = ("image/tiff", "application/json")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")


@dataclass(frozen=True)
class BucketKeys:
    """Keys of the bucket that the service writes to."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class Delivery:
    """Where the service writes: ``s3://bucket/prefix`` and what lets it in, keys or a role, never both.

    The URL may hold ``<requestId>``, ``<tileName>``, ``<outputId>`` and ``<format>``; without any of them
    the service appends ``/<requestId>/<tileName>/<outputId>.<format>``.
    """

    url: str
    keys: BucketKeys | None = None
    iam_role_arn: str | None = None
    region: str | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the ``delivery`` object; it holds the keys, so it is made at the last moment."""
        s3 = {"url": self.url, "region": self.region, "iamRoleARN": self.iam_role_arn}
        if self.keys:
            s3 |= {"accessKey": self.keys.access_key, "secretAccessKey": self.keys.secret_key}
        # The service rejects nulls.
        return {"s3": {key: value for key, value in s3.items() if value is not None}}

    def faults(self) -> Iterator[Fault]:
        """Name what is wrong with it, as far as can be seen without asking anyone."""
        remedy = "Give an s3:// URL such as s3://my-bucket/ndvi"
        bucket = self.url[len("s3://") :].split("/")[0]
        if not self.url.startswith("s3://") or not bucket:
            yield Fault("delivery_url", f"{self.url!r} is not the URL of a place in a bucket", remedy)
        elif not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
            yield Fault("delivery_url", f"{bucket!r} cannot be the name of a bucket", remedy)
        if "<" in self.url and "<tileName>" not in self.url:
            yield Fault(
                "delivery_url", "the template has no <tileName>", "Add it, or leave the placeholders out"
            )
        if (self.keys is None) == (self.iam_role_arn is None):
            yield Fault(
                "delivery_aws_conn_id",
                "the service needs either keys or a role to write to the bucket",
                "Name an AWS connection in delivery_aws_conn_id, or a role in iam_role_arn, not both",
            )
        if self.iam_role_arn and not _ROLE_ARN.fullmatch(self.iam_role_arn):
            yield Fault(
                "iam_role_arn",
                f"{self.iam_role_arn!r} is not a role",
                "Give arn:aws:iam::<account>:role/<name>",
            )


@dataclass(frozen=True)
class BatchDefinition:
    """One batch request on a tiling grid with raster output.

    ``area`` is a GeoJSON Polygon or MultiPolygon in lon/lat (CRS84), ``time_range`` two dates or date-times
    with the end included (dates mean whole days, times without a zone are UTC), ``buffer`` pixels added on
    each side in x and y, ``max_cloud_coverage`` a percentage, ``resolution`` in the grid's unit, ``outputs``
    the evalscript's output ids, either with their format or all as ``image/tiff``.
    """

    evalscript: str
    area: Any
    time_range: Sequence[Any]
    tiling_grid_id: int
    resolution: float
    delivery: Delivery
    collection: str = "sentinel-2-l2a"
    outputs: Sequence[str] | Mapping[str, str] = ("default",)
    buffer: Sequence[int] = (0, 0)
    max_cloud_coverage: float | None = None
    mosaicking_order: str | None = None
    cog: bool = False
    overwrite: bool = False
    skip_existing: bool = False
    description: str | None = None

    def check(self, grids: Sequence[TilingGrid] | None = None) -> None:
        """Raise `DefinitionError` naming everything that is wrong; ``grids`` are those the service offers."""
        faults = list(self.faults(grids))
        if faults:
            raise DefinitionError(faults)

    def faults(self, grids: Sequence[TilingGrid] | None = None) -> Iterator[Fault]:
        """Name each thing that is wrong with the definition."""
        if not self.evalscript.strip():
            yield Fault("evalscript", "is empty", "Give the script's text, or the path of its .js file")
        yield from _area_faults(self.area)
        yield from _time_range_faults(self.time_range)
        yield from self._grid_faults(grids)
        yield from self._output_faults()
        yield from self.delivery.faults()
        if not self.collection:
            yield Fault("collection", "is missing", "Name one, such as sentinel-2-l2a")
        if self.max_cloud_coverage is not None and not _within(self.max_cloud_coverage, 0, 100):
            yield Fault(
                "max_cloud_coverage", f"{self.max_cloud_coverage!r} is not a percentage", "Give 0 to 100"
            )
        if self.mosaicking_order is not None and self.mosaicking_order not in _MOSAICKING_ORDERS:
            yield Fault(
                "mosaicking_order",
                f"{self.mosaicking_order!r} is not known",
                f"Choose one of {', '.join(_MOSAICKING_ORDERS)}",
            )

    def _grid_faults(self, grids: Sequence[TilingGrid] | None) -> Iterator[Fault]:
        number = isinstance(self.tiling_grid_id, int) and not isinstance(self.tiling_grid_id, bool)
        grid = next((g for g in grids or () if g.id == self.tiling_grid_id), None)
        if not number:
            yield Fault(
                "tiling_grid_id", f"{self.tiling_grid_id!r} is not a whole number", "Give a grid's id"
            )
        elif grids is not None and grid is None:
            offered = "; ".join(f"{g.id} ({g.name})" for g in sorted(grids, key=lambda g: g.id))
            yield Fault(
                "tiling_grid_id", f"there is no grid {self.tiling_grid_id}", f"Choose one of {offered}"
            )
        if not _within(self.resolution, 0, math.inf) or not self.resolution:
            yield Fault("resolution", f"{self.resolution!r} is not above 0", "Give one that the grid offers")
        elif grid is not None and not any(math.isclose(self.resolution, r) for r in grid.resolutions):
            offered = ", ".join(f"{r:g}" for r in grid.resolutions)
            yield Fault(
                "resolution",
                f"grid {grid.id} ({grid.name}) does not have {self.resolution:g}",
                f"Choose one of {offered} ({grid.unit.lower()})",
            )
        whole = [b for b in self.buffer if isinstance(b, int) and not isinstance(b, bool) and b >= 0]
        if len(self.buffer) != 2 or len(whole) != 2:
            yield Fault(
                "buffer", f"{self.buffer!r} is not two numbers of pixels", "Give (x, y), such as (50, 50)"
            )

    def _output_faults(self) -> Iterator[Fault]:
        formats = self.formats
        if not formats:
            yield Fault("outputs", "is empty", "Name the evalscript's outputs that are wanted")
        for name, kind in formats.items():
            if kind not in _RASTER_FORMATS:
                yield Fault(
                    "outputs",
                    f"{name} cannot be delivered as {kind!r}",
                    f"Choose {' or '.join(_RASTER_FORMATS)}",
                )
            elif self.cog and kind != "image/tiff":
                yield Fault(
                    "cog", f"{name} is {kind}", "Cloud-optimised output must be image/tiff throughout"
                )
        if len(formats) > 1 and "<" in self.delivery.url and "<outputId>" not in self.delivery.url:
            yield Fault("delivery_url", "the template has no <outputId>", "Add it: there are several outputs")

    @property
    def formats(self) -> dict[str, str]:
        """The outputs to deliver and their MIME types."""
        if isinstance(self.outputs, dict):
            return dict(self.outputs)
        return dict.fromkeys(self.outputs, "image/tiff")

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON body of a create call. `check` first: this expects a sound definition."""
        start, end = _instants(self.time_range)
        data_filter: dict[str, Any] = {"timeRange": {"from": _iso(start), "to": _iso(end)}}
        if self.max_cloud_coverage is not None:
            data_filter["maxCloudCoverage"] = self.max_cloud_coverage
        if self.mosaicking_order is not None:
            data_filter["mosaickingOrder"] = self.mosaicking_order
        grid: dict[str, Any] = {
            "type": "tiling-grid",
            "id": self.tiling_grid_id,
            "resolution": float(self.resolution),
        }
        grid |= {key: value for key, value in zip(("bufferX", "bufferY"), self.buffer, strict=True) if value}
        wire: dict[str, Any] = {
            "processRequest": {
                "input": {
                    "bounds": {"geometry": _geometry(self.area), "properties": {"crs": _CRS84}},
                    "data": [{"type": self.collection, "dataFilter": data_filter}],
                },
                "output": {
                    "responses": [
                        {"identifier": name, "format": {"type": kind}} for name, kind in self.formats.items()
                    ]
                },
                "evalscript": self.evalscript,
            },
            "input": grid,
            "output": {
                "type": "raster",
                "delivery": self.delivery.to_wire(),
                "cogOutput": self.cog,
                "overwrite": self.overwrite,
                "skipExisting": self.skip_existing,
            },
        }
        if self.description:
            wire["description"] = self.description
        return wire

    def signed(self, fingerprint: Fingerprint) -> BatchDefinition:
        """Return the same definition with the mark by which it is found again."""
        return replace(self, description=fingerprint.sign(self.description))

    def without_keys(self) -> BatchDefinition:
        """Return the same definition without the bucket's keys, to be shown or compared."""
        return replace(self, delivery=replace(self.delivery, keys=None))


def _within(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _geometry(area: Any) -> Any:
    """Return the GeoJSON geometry in ``area``: an object or its text, of a geometry or of one feature."""
    if isinstance(area, str):
        area = json.loads(area)
    if isinstance(area, dict) and area.get("type") == "Feature":
        area = area.get("geometry")
    return area


def _area_faults(area: Any) -> Iterator[Fault]:
    from shapely import is_valid_reason
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    remedy = "Give a GeoJSON Polygon or MultiPolygon in longitude and latitude"
    try:
        geometry = _geometry(area)
        kind = geometry["type"]
        found = shape(geometry)
    except (TypeError, KeyError, ValueError, AttributeError, IndexError, ShapelyError) as error:
        yield Fault("area", f"is not GeoJSON ({type(error).__name__})", remedy)
        return
    if kind not in ("Polygon", "MultiPolygon"):
        yield Fault("area", f"is a {kind}", remedy)
    elif found.is_empty:
        yield Fault("area", "is empty", remedy)
    elif not found.is_valid:
        yield Fault(
            "area", f"is not a valid {kind}: {is_valid_reason(found)}", "Mend it, with shapely.make_valid"
        )
    else:
        west, south, east, north = found.bounds
        if max(abs(west), abs(east)) > 180 or max(abs(south), abs(north)) > 90:
            yield Fault(
                "area",
                f"reaches from {west:g} {south:g} to {east:g} {north:g}, beyond longitude and latitude",
                "Reproject it to CRS84 (EPSG:4326 with longitude first)",
            )


def _time_range_faults(time_range: Any) -> Iterator[Fault]:
    remedy = "Give (first, last), such as ('2020-07-01', '2020-07-31')"
    try:
        start, end = _instants(time_range)
    except (TypeError, ValueError) as error:
        yield Fault("time_range", f"cannot be read ({error})", remedy)
        return
    if start >= end:
        yield Fault("time_range", f"runs backwards, from {_iso(start)} to {_iso(end)}", remedy)


def _instants(time_range: Any) -> tuple[datetime, datetime]:
    if isinstance(time_range, str) or len(time_range) != 2:
        raise ValueError("it is not two dates")
    start, end = time_range
    return _instant(start, last=False), _instant(end, last=True)


def _instant(value: Any, *, last: bool) -> datetime:
    """Read a date, a date-time or the text of either; a date is its first or last moment, in UTC."""
    if isinstance(value, str):
        text = value.strip()
        value = (
            date.fromisoformat(text)
            if len(text) == len("2020-07-01")
            else datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        )
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc) if value.tzinfo else value.replace(tzinfo=timezone.utc)
    if isinstance(value, date):
        time = datetime.max.time().replace(microsecond=0) if last else datetime.min.time()
        return datetime.combine(value, time, tzinfo=timezone.utc)
    raise TypeError(f"{value!r} is neither a date nor a date-time")


def _iso(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
