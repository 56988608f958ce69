"""What to compute, in the author's words, and the one wire form that it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.areas import Area
from airflow_provider_sentinelhub.client.definition.area import area_of
from airflow_provider_sentinelhub.client.definition.outputs import formats_of
from airflow_provider_sentinelhub.client.definition.raster import SETTINGS, raster_wire
from airflow_provider_sentinelhub.client.definition.rules import text
from airflow_provider_sentinelhub.client.definition.sources import Selection, collections_of
from airflow_provider_sentinelhub.client.definition.storage import OtherDelivery
from airflow_provider_sentinelhub.client.definition.tiling import GeoPackage, grid_wire, offer_faults
from airflow_provider_sentinelhub.client.definition.zarr import Zarr, chunk_faults, grid_faults
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike

    from airflow_provider_sentinelhub.client.definition.delivery import Delivery
    from airflow_provider_sentinelhub.client.definition.parts import Builder, LookUp
    from airflow_provider_sentinelhub.client.fingerprint import Fingerprint
    from airflow_provider_sentinelhub.client.models import TilingGrid
    from airflow_provider_sentinelhub.client.opening import Opener


@dataclass(frozen=True, kw_only=True)
class BatchDefinition(Selection):
    """One batch request.

    **What**: ``evalscript`` is its text; ``outputs`` its output ids, as a list or with their MIME types.
    ``time_range`` is two dates or date-times with the end included (dates mean whole days, times without a
    zone are UTC). ``collection`` and the four after it describe the one `Source`, or ``sources`` several.

    **Where**: ``area`` is whatever `Area.read` takes, with ``area_crs``, ``invalid_area`` (``"refuse"`` or
    ``"repair"``) and ``area_tolerance`` (metres) passed to it. The area is cut into the tiles of the tiling
    grid ``tiling_grid_id`` at a ``resolution`` in the grid's unit, with ``buffer`` pixels added on each side
    in x and y; or else the features of a ``geopackage`` are rendered, those in the area if there is one.

    **To where**: ``delivery``, as GeoTIFF or as a Zarr (``zarr``). For GeoTIFF: ``cog`` and
    ``cog_parameters`` (under the service's names), ``overwrite``, ``skip_existing``, and
    ``create_collection`` to ingest the tiles into a new collection or into ``collection_id``.

    ``notes`` say what was left out when it was read from something else; ``read_faults`` what could not be
    read. ``opener`` returns the content of an area's URL.
    """

    evalscript: str
    delivery: Delivery | OtherDelivery
    outputs: Sequence[str] | Mapping[str, str] = ("default",)
    area: Any = None
    area_crs: str | None = None
    invalid_area: str = "refuse"
    area_tolerance: float | None = None
    tiling_grid_id: int | None = None
    resolution: float | None = None
    buffer: Sequence[int] = (0, 0)
    geopackage: GeoPackage | None = None
    cog: bool = False
    cog_parameters: Mapping[str, Any] = field(default_factory=dict)
    overwrite: bool = False
    skip_existing: bool = False
    create_collection: bool = False
    collection_id: str | None = None
    zarr: Zarr | None = None
    description: str | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)
    read_faults: tuple[Fault, ...] = field(default=(), repr=False, compare=False)
    opener: Opener | None = field(default=None, repr=False, compare=False)

    @classmethod
    def read(
        cls,
        source: Mapping[str, Any] | str | PathLike[str],
        given: Mapping[str, Any] | None = None,
        *,
        folders: Sequence[str | PathLike[str]] = (),
        look_up: LookUp | None = None,
        opener: Opener | None = None,
        build: Builder | None = None,
    ) -> BatchDefinition:
        """Read a definition from a dict, or from a YAML or JSON file of one; see `reading` for the names.

        What is ``given`` besides wins. Relative paths are looked for in ``folders``, ``look_up`` finds the
        credentials that a name stands for, ``opener`` returns what is at a URL, and ``build`` makes a
        GeoPackage of the ``features`` of one and returns its URL. What cannot be read is among the `faults`.
        """
        from airflow_provider_sentinelhub.client.definition.reading import read

        return read(source, given or {}, folders=folders, look_up=look_up, opener=opener, build=build)

    @classmethod
    def from_process_request(cls, request: Any, **fields: Any) -> BatchDefinition:
        """Make a batch request of a Process API request: a dict, or a ``SentinelHubRequest``.

        Its size or resolution is dropped, since a grid or a GeoPackage says that. ``fields`` are the rest,
        under the names of `read`; they win.
        """
        from airflow_provider_sentinelhub.client.definition.process_request import payload_of

        return cls.read(payload_of(request), fields)

    def check(self, grids: Sequence[TilingGrid] | None = None) -> None:
        """Raise `DefinitionError` naming everything that is wrong; ``grids`` are those the service offers."""
        faults = list(self.faults(grids))
        if faults:
            raise DefinitionError(faults)

    def faults(self, grids: Sequence[TilingGrid] | None = None) -> Iterator[Fault]:
        """Name each thing that is wrong with the definition."""
        wire, faults = self._built()
        yield from faults
        if not isinstance(self.delivery, OtherDelivery):
            yield from self._access_faults(self.delivery)
        if grids is not None and "id" in wire["input"]:
            yield from offer_faults(wire["input"], grids)
            if self.zarr and not faults:
                yield from chunk_faults(wire["output"], wire["input"], grids)

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON body of a create call; `DefinitionError` if there is none. Keys may be missing."""
        wire, faults = self._built()
        if faults:
            raise DefinitionError(faults)
        return wire

    def signed(self, fingerprint: Fingerprint) -> BatchDefinition:
        """Return the same definition with the mark by which it is found again."""
        return self._like(description=fingerprint.sign(self.description))

    def without_keys(self) -> BatchDefinition:
        """Return the same definition without the buckets' keys, to be shown or compared."""
        geopackage = self.geopackage.without_keys() if self.geopackage else None
        return self._like(delivery=self.delivery.without_keys(), geopackage=geopackage)

    @property
    def formats(self) -> dict[str, str]:
        """The MIME type of each output."""
        return formats_of(self.outputs, [], as_zarr=self.zarr is not None)

    @property
    def collections(self) -> list[tuple[str, str | None]]:
        """The collections' types, each with what the evalscript calls it; as far as they can be read."""
        return collections_of(self._built()[0]["processRequest"]["input"]["data"])

    @property
    def dtypes(self) -> dict[str, str]:
        """The data type of each array of a Zarr, as far as they can be read."""
        output = self._built()[0]["output"]
        shared, own = (output.get(name) or {} for name in ("arrayParameters", "arrayOverrides"))
        given = {name: {**shared, **(own.get(name) or {})}.get("dtype") for name in self.formats}
        return {name: dtype for name, dtype in given.items() if isinstance(dtype, str)}

    def _like(self, **changes: Any) -> BatchDefinition:
        # An area may come from far away: it is read once.
        area = self._area if isinstance(self._area, Area) else self.area
        return replace(self, area=area, **changes)

    @cached_property
    def _area(self) -> Area | tuple[Fault, ...]:
        """The area, or what is wrong with it or with how it is to be read."""
        faults: list[Fault] = []
        area = area_of(
            self.area,
            faults,
            area_crs=self.area_crs,
            invalid_area=self.invalid_area,
            area_tolerance=self.area_tolerance,
            opener=self.opener,
        )
        return area or tuple(faults)

    def _built(self) -> tuple[dict[str, Any], list[Fault]]:
        """Return the wire form, and what is wrong with it but for missing credentials."""
        faults = list(self.read_faults)
        named = {fault.field for fault in faults}
        if not (isinstance(self.evalscript, str) and self.evalscript.strip()) and "evalscript" not in named:
            remedy = "Give the script's text, or the path of its .js file"
            faults.append(Fault("evalscript", "is missing or empty", remedy))
        formats = formats_of(self.outputs, faults, as_zarr=self.zarr is not None)
        grid = self._input(faults)
        process = {
            "input": {**self._bounds(faults), "data": self._data(faults)},
            "output": {
                "responses": [
                    {"identifier": name, "format": {"type": kind}} for name, kind in formats.items()
                ]
            },
            "evalscript": self.evalscript,
        }
        output = self._output(formats, grid, faults)
        wire: dict[str, Any] = {"processRequest": process, "input": grid, "output": output}
        if self.description:
            wire["description"] = text(self.description, "description", faults)
        return wire, faults

    def _bounds(self, faults: list[Fault]) -> dict[str, Any]:
        if self.area is None:
            if self.geopackage is None and not self._geopackage_is_wrong:
                remedy = "Give one, such as a GeoJSON polygon in longitude and latitude"
                faults.append(Fault("area", "is missing", remedy))
            return {}
        if not isinstance(self._area, Area):
            faults.extend(self._area)
            return {}
        return {"bounds": self._area.to_wire()}

    @property
    def _geopackage_is_wrong(self) -> bool:
        """Whether there is none because it could not be read: no grid is missing then."""
        return self.geopackage is None and any(one.field.startswith("geopackage") for one in self.read_faults)

    def _input(self, faults: list[Fault]) -> dict[str, Any]:
        if self._geopackage_is_wrong:
            return {"type": "geopackage"}
        if self.geopackage is None:
            return grid_wire(self.tiling_grid_id, self.resolution, self.buffer, faults)
        beside = {
            "tiling_grid_id": self.tiling_grid_id is not None,
            "resolution": self.resolution is not None,
            "buffer": list(self.buffer) != [0, 0],
        }
        for name in (name for name, given in beside.items() if given):
            remedy = "Put it into geopackage" if name == "resolution" else "Leave it out"
            faults.append(Fault(name, "is for a tiling grid, and there is a geopackage", remedy))
        place = self.delivery if not isinstance(self.delivery, OtherDelivery) else None
        return self.geopackage.opened_by(place).settled(faults)

    def _output(
        self, formats: Mapping[str, str], grid: Mapping[str, Any], faults: list[Fault]
    ) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in SETTINGS}
        if self.zarr is None:
            wire = raster_wire(given, formats, faults)
        else:
            for name, value in given.items():
                if value not in (None, False, {}):
                    faults.append(Fault(name, "is for raster output, and there is a zarr", "Leave it out"))
            wire = self.zarr.to_wire(list(formats), faults)
            faults.extend(grid_faults(grid))
        if isinstance(self.delivery, OtherDelivery):
            return {**wire, "delivery": self.delivery.to_wire(faults)}
        if "delivery_url" not in {fault.field for fault in self.read_faults}:
            faults.extend(self.delivery.faults(len(formats), zarr=self.zarr is not None))
        return {**wire, "delivery": self.delivery.to_wire()}

    def _access_faults(self, delivery: Delivery) -> Iterator[Fault]:
        from airflow_provider_sentinelhub.client.definition.delivery import NAMES

        # A name that could not be looked up has been named already.
        named = {fault.field for fault in self.read_faults}
        if not {NAMES.aws, NAMES.google} & named:
            yield from delivery.access_faults(NAMES)
            if self.geopackage:
                yield from self.geopackage.opened_by(delivery).access()
