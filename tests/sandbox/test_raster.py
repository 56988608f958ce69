"""GeoTIFFs and COGs, read back by GDAL."""

from __future__ import annotations

import math
import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from rasterio.io import MemoryFile

from airflow_provider_sentinelhub.sandbox.raster import CogParameters, write_tiff

WEST, SOUTH = 300_000.0, 3_900_000.0
TYPES = ("int8", "uint8", "int16", "uint16", "float32")


def picture(dtype: str, bands: int = 1, height: int = 600, width: int = 700) -> np.ndarray[Any, Any]:
    noise = np.random.default_rng(7).normal(40, 30, (bands, height, width))
    return noise.clip(0, 120).astype(dtype)


def write(pixels: np.ndarray[Any, Any], **options: Any) -> bytes:
    _, height, width = pixels.shape
    bounds = (WEST, SOUTH, WEST + width * 10, SOUTH + height * 10)
    return write_tiff(pixels, epsg=32611, bounds=bounds, **options)


def ifds(tiff: bytes) -> list[dict[int, int]]:
    """Read the directories of a classic TIFF: where each is, and the first value of its tags."""
    assert tiff[:4] == b"II*\0"
    (offset,) = struct.unpack_from("<I", tiff, 4)
    directories = []
    while offset:
        (count,) = struct.unpack_from("<H", tiff, offset)
        tags = {0: offset}
        for i in range(count):
            tag, kind, size, value = struct.unpack_from("<HHII", tiff, offset + 2 + 12 * i)
            width = {3: 2, 4: 4}.get(kind, 0)
            if width and size * width > 4:
                (value,) = struct.unpack_from("<H" if width == 2 else "<I", tiff, value)
            tags[tag] = value & 0xFFFF if width == 2 else value
        directories.append(tags)
        (offset,) = struct.unpack_from("<I", tiff, offset + 2 + 12 * count)
    return directories


WIDTH, HEIGHT, COMPRESSION, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS = (
    256,
    257,
    259,
    317,
    322,
    323,
    324,
)


def assert_cog(tiff: bytes) -> list[dict[int, int]]:
    """Judge as rio-cogeo does: tiled, overviews that halve, directories and overviews before the pixels."""
    directories = ifds(tiff)
    assert all(TILE_WIDTH in tags for tags in directories)
    assert len(directories) > 1 or max(directories[0][WIDTH], directories[0][HEIGHT]) <= 512
    # Directories at the front, full resolution first; data from the smallest overview up.
    positions = [tags[0] for tags in directories]
    data = [tags[TILE_OFFSETS] for tags in directories]
    assert positions == sorted(positions)
    assert positions[0] < 300
    assert max(positions) < min(data)
    assert data == sorted(data, reverse=True)
    for larger, smaller in pairwise(directories):
        assert smaller[WIDTH] == math.ceil(larger[WIDTH] / 2)
        assert smaller[HEIGHT] == math.ceil(larger[HEIGHT] / 2)
    return directories


@pytest.mark.parametrize("cog", [None, CogParameters()], ids=["plain", "cog"])
@pytest.mark.parametrize("bands", [1, 3, 5])
@pytest.mark.parametrize("dtype", TYPES)
def test_pixels_come_back(dtype: str, bands: int, cog: CogParameters | None) -> None:
    pixels = picture(dtype, bands)
    with MemoryFile(write(pixels, cog=cog)) as file, file.open() as dataset:
        assert dataset.dtypes == (dtype,) * bands
        assert dataset.crs.to_epsg() == 32611
        assert dataset.transform[:6] == (10, 0, WEST, 0, -10, SOUTH + 6000)
        assert dataset.nodata is None
        assert dataset.compression.name == "deflate"
        assert np.array_equal(dataset.read(), pixels)


@pytest.mark.parametrize("dtype", TYPES)
def test_a_cog_is_laid_out_as_one(dtype: str) -> None:
    directories = assert_cog(write(picture(dtype, 2, 1100, 1500), cog=CogParameters()))
    assert [(tags[WIDTH], tags[HEIGHT]) for tags in directories] == [
        (1500, 1100),
        (750, 550),
        (375, 275),
        (188, 138),
    ]
    assert (directories[0][TILE_WIDTH], directories[0][TILE_HEIGHT]) == (256, 256)
    with MemoryFile(write(picture(dtype), cog=CogParameters())) as file, file.open() as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_a_plain_tiff_has_no_overviews() -> None:
    with MemoryFile(write(picture("uint8"))) as file, file.open() as dataset:
        assert dataset.overviews(1) == []
        assert dataset.profile["tiled"]


@pytest.mark.parametrize(("dtype", "predictor"), [("uint16", 2), ("int8", 2), ("float32", 3)])
def test_the_predictor_suits_the_type(dtype: str, predictor: int) -> None:
    on, off = (
        write(picture(dtype), cog=CogParameters.from_request(parameters))
        for parameters in ({}, {"usePredictor": False})
    )
    assert ifds(on)[0][PREDICTOR] == predictor
    assert ifds(off)[0].get(PREDICTOR, 1) == 1
    assert len(ifds(on)) == len(ifds(off))


def test_blocks_need_not_be_square() -> None:
    cog = CogParameters.from_request({"blockxsize": 512, "blockysize": 128})
    directories = assert_cog(write(picture("uint8"), cog=cog))
    assert (directories[0][TILE_WIDTH], directories[0][TILE_HEIGHT]) == (512, 128)
    assert len(directories) == 4  # 700 x 600 down to at most 128


def test_overviews_on_request() -> None:
    cog = CogParameters.from_request({"overviewLevels": [2, 4]})
    with MemoryFile(write(picture("uint8"), cog=cog)) as file, file.open() as dataset:
        assert dataset.overviews(1) == [2, 4]
    none = CogParameters.from_request({"overviewLevels": []})
    with MemoryFile(write(picture("uint8"), cog=none)) as file, file.open() as dataset:
        assert dataset.overviews(1) == []


@pytest.mark.parametrize(
    ("parameters", "levels"),
    [({}, [2, 4]), ({"overviewMinSize": 100}, [2, 4, 8]), ({"blockxsize": 1024, "blockysize": 1024}, [])],
)
def test_overviews_stop_at_the_minimum_size(parameters: dict[str, Any], levels: list[int]) -> None:
    assert CogParameters.from_request(parameters).levels(700, 600) == levels


def overview(name: str, pixels: np.ndarray[Any, Any], **options: Any) -> np.ndarray[Any, Any]:
    cog = CogParameters.from_request({"resamplingAlgorithm": name, "overviewLevels": [2]})
    with MemoryFile(write(pixels, cog=cog, **options)) as file, file.open(overview_level=0) as dataset:
        result: np.ndarray[Any, Any] = dataset.read(1)
    return result


def test_overviews_are_resampled_as_asked() -> None:
    pixels = np.tile(np.array([[0, 4], [8, 8]], np.uint8), (300, 350))[np.newaxis]
    assert np.unique(overview("average", pixels)).tolist() == [5]
    assert np.unique(overview("average_magphase", pixels)).tolist() == [5]
    assert np.unique(overview("nearest", pixels)).tolist() == [0]
    assert np.unique(overview("mode", pixels)).tolist() == [8]
    for name in ("gauss", "cubic", "cubicspline", "lanczos"):
        assert overview(name, pixels).shape == (300, 350)


def test_nodata_is_a_tag_and_keeps_out_of_averages() -> None:
    pixels = np.tile(np.array([[0, 4], [0, 8]], np.uint8), (300, 350))[np.newaxis]
    assert np.unique(overview("average", pixels, nodata=0)).tolist() == [6]
    with MemoryFile(write(pixels, nodata=0)) as file, file.open() as dataset:
        assert dataset.nodata == 0
        assert np.array_equal(dataset.read(), pixels)


@pytest.mark.parametrize(
    ("dtype", "nodata", "tag"),
    [
        ("float32", math.nan, math.nan),
        ("float32", -9999, -9999),
        ("int16", -9999, -9999),
        ("uint8", 255, 255),
        ("int8", -128, -128),
        ("uint8", -1, None),
        ("uint16", 70_000, None),
        ("uint8", math.nan, None),
        ("uint8", 0.5, None),
    ],
)
def test_nodata_that_the_type_can_hold(dtype: str, nodata: float, tag: float | None) -> None:
    with (
        MemoryFile(write(picture(dtype), nodata=nodata, cog=CogParameters())) as file,
        file.open() as dataset,
    ):
        assert dataset.nodata == tag or (dataset.nodata is not None and math.isnan(dataset.nodata))
        assert (dataset.nodata is None) == (tag is None)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"blockxsize": 100}, "blockxsize and blockysize must be multiples of 16, not 100."),
        ({"blockysize": 0}, "blockxsize and blockysize must be multiples of 16, not 0."),
        ({"resamplingAlgorithm": "best"}, "Unknown resamplingAlgorithm 'best'."),
        ({"overviewLevels": [1, 2]}, "overviewLevels must be at least 2."),
    ],
)
def test_parameters_that_make_no_sense(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^") as failure:
        CogParameters.from_request(parameters)
    assert str(failure.value) == message
