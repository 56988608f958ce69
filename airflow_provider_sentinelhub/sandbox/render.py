"""One tile or image: synthetic scenes, through the evalscript, into files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_sentinelhub.sandbox.evalscript import Evalscript, EvalscriptError
from airflow_provider_sentinelhub.sandbox.evalscript.check import USERDATA, check_format
from airflow_provider_sentinelhub.sandbox.evalscript.pixels import DTYPES, Run, StatefulScriptError
from airflow_provider_sentinelhub.sandbox.layers import layers
from airflow_provider_sentinelhub.sandbox.raster import (
    JPEG_QUALITY,
    PICTURES,
    CogParameters,
    geotransform,
    write_picture,
    write_tiff,
)
from airflow_provider_sentinelhub.sandbox.scenes import Grid, Lattice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.zarr import ZarrTile

# Held at a time: pixels, and source values of them in all scenes and bands.
_BLOCK_PIXELS = 130_000
_BLOCK_VALUES = 2_500_000
_MOST_BYTES = 1 << 30  # a script decides how many bands there are


@dataclass(frozen=True)
class TileJob:
    """All that a worker process needs to render one tile.

    :ivar data: ``processRequest.input.data`` as sent
    :ivar responses: identifier and MIME type: ``image/tiff``, ``image/png``, ``image/jpeg``, ``zarr/array``,
        for ``userdata`` ``application/json``
    :ivar bounds: minx, miny, maxx, maxy in units of the CRS, buffers included, as in ``width`` and ``height``
    :ivar area_wkb: the polygon of a GeoPackage's feature, or the area asked of the Process API, in the tile's
        CRS: pixels whose centre is outside have dataMask 0
    :ivar zarr: where the tile lies in the arrays, if all responses are arrays
    :ivar jpeg_quality: 0 to 100, by identifier
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
    jpeg_quality: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RenderedTile:
    """The files of a tile, and what is needed to bill it.

    :ivar files: by identifier, in the types asked for. For Zarr: chunks, by key within the group
    :ivar input_bands: as billed, of all collections: dataMask does not count unless it is the only one
    :ivar float32: whether an image is 32-bit
    :ivar samples: data samples per pixel, averaged over the tile: SIMPLE 1, else the scenes that cover it; in
        data fusion the mean of the collections (assumed)
    :ivar collections: how many were read
    :ivar no_data: not one pixel has data (the service then reports ``No data`` and delivers nothing)
    """

    files: dict[str, bytes]
    pixels: int
    input_bands: int
    float32: bool
    samples: float
    collections: int
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
        self.evalscript = Evalscript(job.evalscript)
        self.setup = self.evalscript.setup
        self.images = {identifier: mime for identifier, mime in job.responses if identifier != USERDATA}
        self.types = {identifier: self.setup.output(identifier).sample_type for identifier in self.images}
        west, south, east, north = job.bounds
        resolution = max((east - west) / job.width, (north - south) / job.height)
        self.grid = Grid.of_tile(job.epsg, job.bounds, job.width, job.height)
        lattice = Lattice(job.epsg, job.bounds, resolution)
        self.layers = layers(job.data, self.setup, lattice, resolution)

    def render(self, *, distinct: bool) -> RenderedTile:
        run = Run(
            self.evalscript,
            [layer.stack for layer in self.layers],
            requested=list(self.images),
            distinct=distinct,
        )
        depth = sum(
            layer.keep(kept) * len(layer.bands) for layer, kept in zip(self.layers, run.kept, strict=True)
        )
        images = self._images(run.outputs)
        valid = False
        area = _area_mask(self.job)
        step = max(1, min(_BLOCK_PIXELS, _BLOCK_VALUES // max(1, depth)) // self.job.width)
        for first in range(0, self.job.height, step):
            rows = slice(first, min(first + step, self.job.height))
            grid = self.grid.rows(rows)
            inside = None if area is None else area[rows]
            samples = [layer.read(grid, inside) for layer in self.layers]
            valid = valid or any(bool(one["dataMask"].any()) for stack in samples for one in stack)
            for identifier, values in run.pixels(samples, grid.shape).items():
                images[identifier][:, rows] = values
        user_data, warnings = run.finish()
        pixels = self.job.width * self.job.height
        bands = [band for layer in self.layers for band in layer.bands]
        return RenderedTile(
            files=self._files(images, user_data),
            pixels=pixels,
            input_bands=max(1, sum(band != "dataMask" for band in bands)),
            float32="FLOAT32" in self.types.values(),
            samples=sum(layer.depth(pixels) for layer in self.layers) / len(self.layers),
            collections=len(self.layers),
            no_data=not valid,
            warnings=warnings,
        )

    def _images(self, outputs: dict[str, int]) -> dict[str, NDArray[Any]]:
        for name, bands in outputs.items():
            check_format(name, self.images[name], self.types[name], bands)
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
        for identifier, mime in self.job.responses:
            if identifier == USERDATA:
                files[identifier] = user_data.encode("utf-8")
                continue
            if mime in PICTURES:
                quality = self.job.jpeg_quality.get(identifier, JPEG_QUALITY)
                files[identifier] = write_picture(images.pop(identifier), mime, quality=quality)
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


def _area_mask(job: TileJob) -> NDArray[np.bool_] | None:
    if job.area_wkb is None:
        return None
    from rasterio.features import geometry_mask
    from shapely import from_wkb

    area = from_wkb(job.area_wkb)
    transform = geotransform(job.bounds, job.width, job.height)
    inside: NDArray[np.bool_] = geometry_mask([area], (job.height, job.width), transform, invert=True)
    return inside
