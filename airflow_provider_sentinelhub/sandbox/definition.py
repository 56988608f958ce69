"""A validated request body, read into the things the engine works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import shapely
from shapely.geometry import box, shape

from airflow_provider_sentinelhub.sandbox.delivery import Destination
from airflow_provider_sentinelhub.sandbox.grids import GRIDS, TilingGrid, parse_crs, project
from airflow_provider_sentinelhub.sandbox.zarr import ZarrOutput

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

EXTENSIONS = {"image/tiff": "tif", "application/json": "json"}
ZARR = "zarr/array"
WGS84 = 4326


@dataclass(frozen=True)
class FeatureSource:
    """Where the GeoPackage lies, and sizes for features that have none."""

    place: Destination
    credentials: dict[str, str]
    defaults: dict[str, float]


@dataclass(frozen=True)
class Definition:
    """What a batch request asks for."""

    evalscript: str
    data: list[dict[str, Any]]
    responses: list[tuple[str, str]]  # (identifier, MIME type)
    grid: TilingGrid | None  # or the GeoPackage
    resolution: float  # of the grid; 0 without one
    buffer: tuple[int, int]  # pixels on each side, x and y
    features: FeatureSource | None
    area: BaseGeometry | None  # longitude, latitude; None: all features
    destination: Destination
    credentials: dict[str, str]
    overwrite: bool
    skip_existing: bool
    cog: bool
    cog_parameters: dict[str, Any] | None
    zarr: ZarrOutput | None = None  # raster output otherwise

    @classmethod
    def read(cls, body: dict[str, Any]) -> Definition:
        """Read a body that passed `validation.validated`."""
        process, grid, output = body["processRequest"], body["input"], body["output"]
        delivery, zarr = output["delivery"]["s3"], output["type"] == "zarr"
        raster = {} if zarr else output  # keys of the other type mean nothing
        responses = [(r["identifier"], r["format"]["type"]) for r in process["output"]["responses"]]
        from_file = grid["type"] == "geopackage"
        return cls(
            evalscript=process["evalscript"],
            data=process["input"]["data"],
            responses=responses,
            grid=None if from_file else GRIDS[int(grid["id"])],
            resolution=0.0 if from_file else float(grid["resolution"]),
            buffer=(0, 0) if from_file else (int(grid["bufferX"]), int(grid["bufferY"])),
            features=_feature_source(grid) if from_file else None,
            area=area(process["input"]["bounds"]) if "bounds" in process["input"] else None,
            destination=Destination.parse(delivery["url"], is_folder=zarr),
            credentials=_credentials(delivery),
            overwrite=raster.get("overwrite", False),
            skip_existing=raster.get("skipExisting", False),
            cog=raster.get("cogOutput", False),
            cog_parameters=raster.get("cogParameters"),
            zarr=ZarrOutput.read(output, [identifier for identifier, _ in responses]) if zarr else None,
        )

    def paths(self, request_id: str, tile_name: str, tile_id: int) -> dict[str, str]:
        """Return the key of each output of a tile, by identifier; for Zarr, of the group."""
        if self.zarr:
            group = self.destination.common_prefix(request_id).rstrip("/")
            return {identifier: group for identifier, _ in self.responses}
        return {
            identifier: self.destination.tile_key(
                request_id, tile_name, tile_id, identifier, EXTENSIONS[mime]
            )
            for identifier, mime in self.responses
        }


def _credentials(bucket: dict[str, Any]) -> dict[str, str]:
    return {key: bucket[key] for key in ("accessKey", "secretAccessKey", "iamRoleARN") if key in bucket}


def _feature_source(source: dict[str, Any]) -> FeatureSource:
    bucket = source["features"]["s3"]
    return FeatureSource(
        place=Destination.parse(bucket["url"]),
        credentials=_credentials(bucket),
        defaults=source.get("defaults", {}),
    )


def area(bounds: dict[str, Any]) -> BaseGeometry:
    """Return the area of interest in longitude and latitude: what box and geometry, if both given, share."""
    parts: list[BaseGeometry] = []
    if "bbox" in bounds:
        parts.append(box(*bounds["bbox"]))
    if "geometry" in bounds:
        parts.append(shape(bounds["geometry"]))
    geometry = shapely.intersection_all(parts)
    return project(geometry, parse_crs(bounds["properties"]["crs"]), WGS84)
