"""One tile of a batch request: synthetic scenes, through the evalscript, into files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_sentinelhub.sandbox.evalscript import Evalscript, EvalscriptError, SceneInfo, TileInfo
from airflow_provider_sentinelhub.sandbox.evalscript.check import USERDATA
from airflow_provider_sentinelhub.sandbox.evalscript.pixels import DTYPES, Run, StatefulScriptError
from airflow_provider_sentinelhub.sandbox.raster import CogParameters, geotransform, write_tiff
from airflow_provider_sentinelhub.sandbox.scenes import (
    COLLECTIONS,
    Grid,
    Lattice,
    Reader,
    grouped,
    ordered,
    search,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.evalscript import Setup
    from airflow_provider_sentinelhub.sandbox.scenes import Product
    from airflow_provider_sentinelhub.sandbox.zarr import ZarrTile

# Held at a time: pixels, and source values of them in all scenes and bands.
_BLOCK_PIXELS = 130_000
_BLOCK_VALUES = 2_500_000
_MOST_BYTES = 1 << 30  # a script decides how many bands there are


@dataclass(frozen=True)
class TileJob:
    """All that a worker process needs to render one tile.

    :ivar data: ``processRequest.input.data`` as sent
    :ivar responses: identifier and MIME type (``image/tiff``, ``application/json``, ``zarr/array``)
    :ivar bounds: minx, miny, maxx, maxy in units of the CRS, buffers included, as in ``width`` and ``height``
    :ivar area_wkb: the polygon of a GeoPackage's feature, in the tile's CRS: pixels whose centre is outside
        have dataMask 0
    :ivar zarr: where the tile lies in the arrays, if all responses are arrays
    """

    evalscript: str
    data: list[dict[str, Any]]
    responses: list[tuple[str, str]]
    epsg: int
    bounds: tuple[float, float, float, float]
    width: int
    height: int
    area_wkb: bytes | None = None
    cog: bool = False
    cog_parameters: dict[str, Any] | None = None
    zarr: ZarrTile | None = None


@dataclass(frozen=True)
class RenderedTile:
    """The files of a tile, and what is needed to bill it.

    :ivar files: by identifier; TIFF or, for ``userdata``, JSON. For Zarr: chunks, by key within the group
    :ivar input_bands: as billed: dataMask does not count unless it is the only one
    :ivar float32: whether an image is 32-bit
    :ivar samples: data samples per pixel, averaged over the tile: SIMPLE 1, else the scenes that cover it
    :ivar no_data: not one pixel has data (the service then reports ``No data`` and delivers nothing)
    """

    files: dict[str, bytes]
    pixels: int
    input_bands: int
    float32: bool
    samples: float
    no_data: bool
    warnings: list[str]


def render(job: TileJob) -> RenderedTile:
    """Render one tile: a pure function of the job.

    :raises EvalscriptError: the script fails, or asks for what the request or the sandbox does not have
    """
    try:
        return _Tile(job).render(distinct=True)
    except StatefulScriptError:
        return _Tile(job).render(distinct=False)


def render_all(jobs: Sequence[TileJob]) -> list[RenderedTile | EvalscriptError]:
    """Render some tiles in one go: for small ones the way to a worker costs as much as the pixels.

    A tile at which the script fails gets the error in its place.
    """
    return [_rendered(job) for job in jobs]


def _rendered(job: TileJob) -> RenderedTile | EvalscriptError:
    try:
        return render(job)
    except EvalscriptError as error:
        return error


class _Tile:
    def __init__(self, job: TileJob) -> None:
        self.job = job
        source = _only_source(job.data)
        self.collection = str(source["type"])
        self.filter = source.get("dataFilter") or {}
        self.processing = source.get("processing") or {}
        self.time_range = _time_range(self.filter)
        self.evalscript = Evalscript(job.evalscript)
        self.setup = self.evalscript.setup
        self.images = [identifier for identifier, _ in job.responses if identifier != USERDATA]
        self.types = {identifier: self.setup.output(identifier).sample_type for identifier in self.images}
        west, south, east, north = job.bounds
        resolution = max((east - west) / job.width, (north - south) / job.height)
        self.grid = Grid.of_tile(job.epsg, job.bounds, job.width, job.height)
        self.lattice = Lattice(job.epsg, job.bounds, resolution)
        self.reader = Reader(self.lattice, self.setup.units(self.collection), self.processing, resolution)

    def render(self, *, distinct: bool) -> RenderedTile:
        products = search(
            self.lattice, self.collection, *self.time_range, float(self.filter.get("maxCloudCoverage", 100))
        )
        products = ordered(products, self.filter.get("mosaickingOrder", "mostRecent"))
        scenes = grouped(products, self.setup.mosaicking) if products else []
        simple = self.setup.mosaicking == "SIMPLE"
        run = Run(
            self.evalscript,
            [] if simple else [_scene_info(scene, self.setup) for scene in scenes],
            requested=self.images,
            time_range=self.time_range,
            scales=self.reader.scales(),
            distinct=distinct,
        )
        kept = [products] if simple else [scenes[index] for index in run.kept]
        images = self._images(run.outputs)
        covered, valid = 0, False
        area = _area_mask(self.job)
        depth = max(1, len(kept) * len(self.reader.bands))
        step = max(1, min(_BLOCK_PIXELS, _BLOCK_VALUES // depth) // self.job.width)
        for first in range(0, self.job.height, step):
            rows = slice(first, min(first + step, self.job.height))
            block = self.reader.block(self.grid.rows(rows))
            samples = []
            for scene in kept:
                sample, count = block.read(scene, None if area is None else area[rows])
                valid = valid or bool(sample["dataMask"].any())
                covered += count
                samples.append(sample)
            for identifier, values in run.pixels(samples, block.grid.shape).items():
                images[identifier][:, rows] = values
        user_data, warnings = run.finish()
        pixels = self.job.width * self.job.height
        return RenderedTile(
            files=self._files(images, user_data),
            pixels=pixels,
            input_bands=max(1, sum(band != "dataMask" for band in self.reader.bands)),
            float32="FLOAT32" in self.types.values(),
            samples=1.0 if simple else covered / pixels,
            no_data=not valid,
            warnings=warnings,
        )

    def _images(self, outputs: dict[str, int]) -> dict[str, NDArray[Any]]:
        size = sum(bands * np.dtype(DTYPES[self.types[name]]).itemsize for name, bands in outputs.items())
        if size * self.job.width * self.job.height > _MOST_BYTES:
            raise EvalscriptError(f"The outputs of a tile may take {_MOST_BYTES >> 20} MB in the sandbox.")
        return {
            name: np.empty((bands, *self.grid.shape), DTYPES[self.types[name]])
            for name, bands in outputs.items()
        }

    def _files(self, images: dict[str, NDArray[Any]], user_data: str) -> dict[str, bytes]:
        if self.job.zarr:
            return self._chunks(images, self.job.zarr)
        cog = CogParameters.from_request(self.job.cog_parameters) if self.job.cog else None
        files = {}
        for identifier, _ in self.job.responses:
            if identifier == USERDATA:
                files[identifier] = user_data.encode("utf-8")
                continue
            nodata = self.setup.output(identifier).nodata
            files[identifier] = write_tiff(
                images.pop(identifier), epsg=self.job.epsg, bounds=self.job.bounds, nodata=nodata, cog=cog
            )
        return files

    def _chunks(self, images: dict[str, NDArray[Any]], tile: ZarrTile) -> dict[str, bytes]:
        chunks: dict[str, bytes] = {}
        for identifier in self.images:
            image = images.pop(identifier)
            if len(image) != 1:  # updateOutput may say so, long after the analysis
                message = f"Output {identifier} has {len(image)} bands; a Zarr array takes one."
                raise EvalscriptError(message)
            chunks.update(tile.chunks(identifier, image[0]))
        return chunks


def _only_source(data: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if len(data) != 1:
        raise EvalscriptError("The sandbox renders one collection at a time: data fusion is not supported.")
    if data[0].get("type") not in COLLECTIONS:
        message = f"The sandbox has no scenes of {data[0].get('type')}, only of {', '.join(COLLECTIONS)}."
        raise EvalscriptError(message)
    return data[0]


def _time_range(data_filter: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return both ends, included. Without a range everything up to now counts (assumed)."""
    time_range = data_filter.get("timeRange") or {}
    start = _moment(time_range["from"]) if "from" in time_range else datetime(2015, 1, 1, tzinfo=timezone.utc)
    end = _moment(time_range["to"]) if "to" in time_range else datetime.now(timezone.utc)
    return start, end


def _moment(text: str) -> datetime:
    # Python 3.10 reads neither a Z nor fractions of other than three or six digits.
    text = re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found[1]:0<6}", text.upper().replace("Z", "+00:00"))
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


def _scene_info(products: Sequence[Product], setup: Setup) -> SceneInfo:
    tiles = tuple(
        TileInfo(
            product.date,
            product.id,
            product.cloud_cover,
            product.path,
            product.granule.geometry() if setup.wants_bounds else {},
        )
        for product in products
    )
    return SceneInfo(products[0].date, tiles)


def _area_mask(job: TileJob) -> NDArray[np.bool_] | None:
    if job.area_wkb is None:
        return None
    from rasterio.features import geometry_mask
    from shapely import from_wkb

    area = from_wkb(job.area_wkb)
    transform = geotransform(job.bounds, job.width, job.height)
    inside: NDArray[np.bool_] = geometry_mask([area], (job.height, job.width), transform, invert=True)
    return inside
