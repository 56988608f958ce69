"""What an image shows, in the author's words, and the wire form that it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.crs import is_lon_lat
from airflow_provider_sentinelhub.client.definition.area import area_of
from airflow_provider_sentinelhub.client.definition.reading import NAMES
from airflow_provider_sentinelhub.client.definition.sources import Selection, collections_of
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.process.formats import TIFF, formats_of
from airflow_provider_sentinelhub.client.process.size import METRE, Size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    from airflow_provider_sentinelhub.client.areas import Area
    from airflow_provider_sentinelhub.client.opening import Opener

SUBJECT = "image"
# What an image and a batch request have in common, under the same names.
SHARED = (
    *("evalscript", "area", "area_crs", "invalid_area", "area_tolerance", "time_range", "outputs"),
    *("collection", "max_cloud_coverage", "mosaicking_order", "data_filter", "processing", "sources"),
)


@dataclass(frozen=True, kw_only=True)
class ProcessDefinition(Selection):
    """One image of an area, or several of the same area and size.

    The names are those of `BatchDefinition` and mean the same. The image shows the area's bounding box in the
    area's CRS; outside the area there is no data. Its ``size`` is (width, height) in pixels, or follows from
    a ``resolution``, one number or those in x and y, whose ``resolution_unit`` is ``metre`` (rounded as in
    `bbox_to_dimensions`; needs pyproj unless the area is in UTM) or ``crs``, the unit of the area's CRS. At
    most 2500 pixels a side. ``outputs`` are made as ``output_format``, or as their own MIME types in a dict.
    ``opener`` returns the content of an area's URL.
    """

    evalscript: str
    area: Any
    size: Any = None
    resolution: Any = None
    resolution_unit: str = METRE
    outputs: Sequence[str] | Mapping[str, str] = ("default",)
    output_format: str = TIFF
    area_crs: str | None = None
    invalid_area: str = "refuse"
    area_tolerance: float | None = None
    read_faults: tuple[Fault, ...] = field(default=(), repr=False, compare=False)
    opener: Opener | None = field(default=None, repr=False, compare=False)

    @classmethod
    def read(
        cls,
        source: Mapping[str, Any] | str | PathLike[str],
        given: Mapping[str, Any] | None = None,
        *,
        folders: Sequence[str | PathLike[str]] = (),
        opener: Opener | None = None,
        **fields: Any,
    ) -> ProcessDefinition:
        """Read what an image shares with a batch request as `BatchDefinition.read` does, from its file too.

        ``fields`` are the others: size, resolution and what belongs to them.
        """
        from airflow_provider_sentinelhub.client.definition import BatchDefinition

        batch = BatchDefinition.read(source, given, folders=folders, opener=opener)
        # Where and on which grid a batch delivers is no matter here.
        others = {name for name in NAMES if name not in SHARED}
        faults = [fault for fault in batch.read_faults if _root(fault.field) not in others]
        shared = {name: getattr(batch, name) for name in SHARED}
        return cls(**shared, **fields, read_faults=tuple(faults), opener=opener)

    def faults(self) -> list[Fault]:
        """Name each thing that is wrong with the definition."""
        return self._built[1]

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON body of a Process call; `DefinitionError` names everything that is wrong."""
        wire, faults = self._built
        if faults:
            raise DefinitionError(faults, SUBJECT)
        return wire

    @property
    def formats(self) -> dict[str, str]:
        """The MIME type of each output."""
        return formats_of(self.outputs, [], self.output_format)

    @property
    def collections(self) -> list[tuple[str, str | None]]:
        """The collections' types, each with what the evalscript calls it; as far as they can be read."""
        return collections_of(self._built[0]["input"]["data"])

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height; `DefinitionError` as of `to_wire`."""
        output = self.to_wire()["output"]
        return output["width"], output["height"]

    @cached_property
    def _built(self) -> tuple[dict[str, Any], list[Fault]]:
        faults = list(self.read_faults)
        if not (isinstance(self.evalscript, str) and self.evalscript.strip()) and not any(
            fault.field == "evalscript" for fault in faults
        ):
            remedy = "Give the script's text, or the path of its .js file"
            faults.append(Fault("evalscript", "is missing or empty", remedy))
        area = self._read_area(faults)
        data = self._data(faults)
        try:
            width, height = Size(self.size, self.resolution, self.resolution_unit).of(area, faults)
        except DefinitionError as error:  # no pyproj
            width, height = 0, 0
            faults += error.faults
        formats = formats_of(self.outputs, faults, self.output_format)
        responses = [{"identifier": name, "format": {"type": kind}} for name, kind in formats.items()]
        return {
            "input": {"bounds": area.to_wire() if area else {}, "data": data},
            "output": {"width": width, "height": height, "responses": responses},
            "evalscript": self.evalscript,
        }, faults

    def _read_area(self, faults: list[Fault]) -> Area | None:
        if self.area is None:
            if not any(fault.field == "area" for fault in faults):
                remedy = "Give one, such as a GeoJSON polygon in longitude and latitude"
                faults.append(Fault("area", "is missing", remedy))
            return None
        area = area_of(
            self.area,
            faults,
            area_crs=self.area_crs,
            invalid_area=self.invalid_area,
            area_tolerance=self.area_tolerance,
            opener=self.opener,
        )
        if area and _is_apart(area):
            problem = "lies on both sides of the antimeridian, which no image in longitude and latitude does"
            faults.append(Fault("area", problem, "Ask for the part on each side, or give it in another CRS"))
            return None
        return area


def _root(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


def _is_apart(area: Area) -> bool:
    """Whether the area's parts touch 180 degrees from both sides and leave a gap between."""
    import shapely

    west, _, east, _ = area.bounds
    if not is_lon_lat(area.crs) or west > -180 or east < 180:
        return False
    reached = -180.0
    for part in sorted(shapely.get_parts(area.geometry), key=lambda part: part.bounds[0]):
        if part.bounds[0] > reached:
            return True
        reached = max(reached, part.bounds[2])
    return False
