"""GeoTIFF, cloud optimized GeoTIFF, PNG and JPEG files, written in memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from affine import Affine
    from numpy.typing import NDArray

_RESAMPLING = {"cubicspline": "cubic_spline"}  # where rasterio's name differs from gdaladdo's
_RESAMPLINGS = ("nearest", "average", "gauss", "cubic", "cubicspline", "lanczos", "average_magphase", "mode")
PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG"}  # MIME type -> GDAL's driver
JPEG_QUALITY = 90  # documented default
_CACHE_BYTES = 8 << 20  # GDAL would take 5 % of the machine's memory in every worker


@dataclass(frozen=True)
class CogParameters:
    """``output.cogParameters`` of a batch request, with the documented defaults (blocks: Planet's 256)."""

    overview_levels: tuple[int, ...] | None = None
    overview_min_size: int | None = None
    resampling: str = "average"
    block_width: int = 256
    block_height: int = 256
    predictor: bool = True

    @classmethod
    def from_request(cls, raw: Mapping[str, Any] | None) -> CogParameters:
        """Read the request's object.

        :raises ValueError: a block size that is no multiple of 16, an unknown resampling or levels below 2
        """
        raw = raw or {}
        levels = raw.get("overviewLevels")
        parameters = cls(
            overview_levels=None if levels is None else tuple(int(level) for level in levels),
            overview_min_size=raw.get("overviewMinSize"),
            resampling=raw.get("resamplingAlgorithm", cls.resampling),
            block_width=int(raw.get("blockxsize", cls.block_width)),
            block_height=int(raw.get("blockysize", cls.block_height)),
            predictor=bool(raw.get("usePredictor", cls.predictor)),
        )
        for size in (parameters.block_width, parameters.block_height):
            if size < 16 or size % 16:
                message = f"blockxsize and blockysize must be multiples of 16, not {size}."
                raise ValueError(message)
        if parameters.resampling not in _RESAMPLINGS:
            message = f"Unknown resamplingAlgorithm '{parameters.resampling}'."
            raise ValueError(message)
        if any(level < 2 for level in parameters.overview_levels or ()):
            raise ValueError("overviewLevels must be at least 2.")
        return parameters

    def levels(self, width: int, height: int) -> list[int]:
        """Return the overviews to build, as gdaladdo does: until both sides are at most the minimum size."""
        if self.overview_levels is not None:
            return sorted(set(self.overview_levels))
        smallest = self.overview_min_size or min(self.block_width, self.block_height)
        levels: list[int] = []
        while max(math.ceil(width / 2 ** len(levels)), math.ceil(height / 2 ** len(levels))) > smallest:
            levels.append(2 ** (len(levels) + 1))
        return levels


def geotransform(bounds: tuple[float, float, float, float], width: int, height: int) -> Affine:
    """Return the transform of a north-up raster with these bounds (minx, miny, maxx, maxy)."""
    # Not rasterio's from_bounds, which multiplies in a way that its affine library warns about.
    from affine import Affine

    west, south, east, north = bounds
    return Affine((east - west) / width, 0.0, west, 0.0, (south - north) / height, north)


def write_tiff(
    pixels: NDArray[Any],
    *,
    epsg: int,
    bounds: tuple[float, float, float, float],
    nodata: float | None = None,
    cog: CogParameters | None = None,
) -> bytes:
    """Return the bytes of a tiled, DEFLATE-compressed GeoTIFF.

    :param pixels: bands x rows x columns, north up; int8, uint8, int16, uint16 or float32
    :param bounds: minx, miny, maxx, maxy of the raster in units of the CRS
    :param nodata: only sets the tag; ignored if the type cannot hold it
    :param cog: lay the file out as a cloud optimized GeoTIFF, with overviews
    """
    import rasterio
    from rasterio.io import MemoryFile
    from rasterio.shutil import copy

    bands, height, width = pixels.shape
    layout = cog or CogParameters()
    floating = np.issubdtype(pixels.dtype, np.floating)
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": pixels.dtype,
        "count": bands,
        "width": width,
        "height": height,
        "crs": f"EPSG:{epsg}",
        "transform": geotransform(bounds, width, height),
        "nodata": nodata if _representable(nodata, pixels.dtype) else None,
    }
    storage: dict[str, Any] = {
        "tiled": True,
        "blockxsize": layout.block_width,
        "blockysize": layout.block_height,
        "compress": "DEFLATE",
        "predictor": (3 if floating else 2) if layout.predictor else 1,
        "zlevel": 6,
        "interleave": "pixel",
        "bigtiff": "IF_SAFER",
    }
    with rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES, GDAL_TIFF_INTERNAL_MASK=True):
        if cog is None:
            with MemoryFile() as target:
                with target.open(**profile, **storage) as dataset:
                    dataset.write(pixels)
                return bytes(target.getbuffer())
        # A COG has its overviews before the pixels: build them first, then copy all of it in order.
        with MemoryFile() as scratch, MemoryFile() as target:
            with scratch.open(
                **profile, tiled=True, blockxsize=256, blockysize=256, compress="DEFLATE", zlevel=1
            ) as dataset:
                dataset.write(pixels)
                levels = layout.levels(width, height)
                if levels:
                    dataset.build_overviews(levels, _resampling(layout.resampling))
            with scratch.open() as dataset:
                copy(dataset, target.name, driver="GTiff", copy_src_overviews=True, **storage)
            return bytes(target.getbuffer())


def write_picture(pixels: NDArray[Any], mime: str, *, quality: int = JPEG_QUALITY) -> bytes:
    """Return the bytes of a PNG or JPEG file.

    :param pixels: bands x rows x columns; PNG: 1 to 4 bands of uint8 or uint16, JPEG: 1 or 3 of uint8
    :param quality: 0 to 100, for JPEG; GDAL knows no 0 and takes it for 1
    """
    import rasterio
    from rasterio.io import MemoryFile

    bands, height, width = pixels.shape
    driver = PICTURES[mime]
    options: dict[str, Any] = {"quality": max(1, quality)} if driver == "JPEG" else {}
    with rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES), MemoryFile() as target:
        with target.open(
            driver=driver, dtype=pixels.dtype, count=bands, width=width, height=height, **options
        ) as picture:
            picture.write(pixels)
        return bytes(target.getbuffer())


def _resampling(name: str) -> Any:
    from rasterio.enums import Resampling

    # rasterio has no average_magphase, which for real numbers is the average.
    return Resampling["average" if name == "average_magphase" else _RESAMPLING.get(name, name)]


def _representable(nodata: float | None, dtype: np.dtype[Any]) -> bool:
    if nodata is None or np.issubdtype(dtype, np.floating):
        return nodata is not None
    limits = np.iinfo(dtype)
    return math.isfinite(nodata) and nodata == int(nodata) and limits.min <= nodata <= limits.max
