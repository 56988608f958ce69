"""The group around the chunks: how far the arrays reach, their metadata, their coordinates.

The published document names ``date_modified``, "the geospatial extent" and ``_ARRAY_DIMENSIONS``. All else is
assumed: the other names, and that coordinates are called and encoded as the service's own import of Zarr
wants them. ``_CRS`` is where GDAL looks for a coordinate reference system.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pyproj import CRS
from shapely.geometry import box

from airflow_provider_sentinelhub.sandbox.grids import project
from airflow_provider_sentinelhub.sandbox.zarr.chunks import ZarrTile
from airflow_provider_sentinelhub.sandbox.zarr.layout import COORDINATES, ZarrOutput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.records import TileRow
    from airflow_provider_sentinelhub.sandbox.zarr.layout import ZarrArray

Json = dict[str, Any]

_WGS84 = 4326


@dataclass(frozen=True)
class ZarrGroup:
    """The arrays of a request on the bounding box of its tiles; ``bounds`` are in units of the CRS."""

    output: ZarrOutput
    epsg: int
    bounds: tuple[float, float, float, float]
    resolution: float
    start: datetime  # of the time range: the one value of the time coordinate (assumed)

    @classmethod
    def around(
        cls, tiles: Sequence[TileRow], output: ZarrOutput, resolution: float, start: datetime
    ) -> ZarrGroup:
        """Make the group that holds these tiles, which are all in one CRS."""
        edges = np.array([tile.bounds for tile in tiles])
        west, south = edges[:, :2].min(axis=0).tolist()
        east, north = edges[:, 2:].max(axis=0).tolist()
        return cls(output, tiles[0].epsg, (west, south, east, north), resolution, start)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        west, south, east, north = self.bounds
        return round((north - south) / self.resolution), round((east - west) / self.resolution)

    def tile(self, tile: TileRow) -> ZarrTile:
        """Return where a tile's pixels go."""
        west, south, _, north = self.bounds
        from_edge = tile.bounds[1] - south if self.output.bottom_left else north - tile.bounds[3]
        row, column = (round(distance / self.resolution) for distance in (from_edge, tile.bounds[0] - west))
        return ZarrTile(self.output.arrays, row, column, self.output.bottom_left)

    def files(self, modified: str) -> dict[str, bytes]:
        """Return everything but the chunks, by key within the group; ``modified`` is a timestamp."""
        documents: dict[str, Json] = {".zgroup": {"zarr_format": 2}, ".zattrs": self._attributes(modified)}
        chunks: dict[str, bytes] = {}
        for name, (values, attributes) in self._coordinates().items():
            documents[f"{name}/.zarray"] = _array(values.shape, values.shape, values.dtype.str, None, None)
            documents[f"{name}/.zattrs"] = {"_ARRAY_DIMENSIONS": [name], **attributes}
            chunks[f"{name}/0"] = values.tobytes()
        for array in self.output.arrays:
            documents[f"{array.name}/.zarray"] = self._array(array)
            documents[f"{array.name}/.zattrs"] = {
                "_ARRAY_DIMENSIONS": list(COORDINATES),
                "_CRS": {"url": f"http://www.opengis.net/def/crs/EPSG/0/{self.epsg}", "wkt": self._wkt},
                **array.attributes,
            }
        documents[".zmetadata"] = {"zarr_consolidated_format": 1, "metadata": dict(documents)}
        encoded = {key: json.dumps(value, indent=2).encode() for key, value in documents.items()}
        return chunks | encoded

    @property
    def _wkt(self) -> str:
        return CRS.from_epsg(self.epsg).to_wkt()

    def _array(self, array: ZarrArray) -> Json:
        # A whole number in an array of integers, even if it was sent as 0.0.
        whole = array.dtype[1] in "iu"
        fill = int(array.fill_value) if whole else array.fill_value
        chunks = (1, *array.chunks)
        return _array((1, *self.shape), chunks, array.dtype, fill, array.compressor)

    def _coordinates(self) -> dict[str, tuple[NDArray[Any], Json]]:
        west, south, _, north = self.bounds
        rows, columns = self.shape
        x = west + (np.arange(columns, dtype="<f8") + 0.5) * self.resolution
        steps = (np.arange(rows, dtype="<f8") + 0.5) * self.resolution
        y = south + steps if self.output.bottom_left else north - steps
        time = np.array([round(self.start.timestamp())], "<i8")
        clock = {
            "standard_name": "time",
            "units": "seconds since 1970-01-01T00:00:00Z",
            "calendar": "proleptic_gregorian",
        }
        if self.epsg == _WGS84:
            of_x = {"standard_name": "longitude", "units": "degrees_east"}
            of_y = {"standard_name": "latitude", "units": "degrees_north"}
        else:
            of_x = {"standard_name": "projection_x_coordinate", "units": "m"}
            of_y = {"standard_name": "projection_y_coordinate", "units": "m"}
        return {"time": (time, clock), "y": (y, of_y), "x": (x, of_x)}

    def _attributes(self, modified: str) -> Json:
        """Return the group's attributes, named by the Attribute Convention for Data Discovery."""
        outline = box(*self.bounds)
        side = max(self.bounds[2] - self.bounds[0], self.bounds[3] - self.bounds[1])
        west, south, east, north = project(outline.segmentize(side / 100), self.epsg, _WGS84).bounds
        return {
            "date_modified": modified,
            "crs": f"EPSG:{self.epsg}",
            "geospatial_bounds": outline.wkt,
            "geospatial_bounds_crs": f"EPSG:{self.epsg}",
            "geospatial_lon_min": west,
            "geospatial_lon_max": east,
            "geospatial_lat_min": south,
            "geospatial_lat_max": north,
            **self.output.attributes,
        }


def _array(
    shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str, fill_value: object, compressor: Json | None
) -> Json:
    return {
        "zarr_format": 2,
        "shape": list(shape),
        "chunks": list(chunks),
        "dtype": dtype,
        "compressor": compressor,
        "fill_value": fill_value,
        "order": "C",
        "filters": None,
    }
