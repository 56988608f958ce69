"""Tiles as chunks, and the group around them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from airflow_provider_sentinelhub.sandbox.records import TileRow
from airflow_provider_sentinelhub.sandbox.zarr import ZarrArray, ZarrGroup, ZarrOutput, in_the_way

BLOSC = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
START = datetime(2024, 6, 1, tzinfo=timezone.utc)


def output(
    dtype: str = "<f4",
    fill_value: Any = 0,
    compressor: dict[str, Any] = BLOSC,
    *,
    bottom_left: bool = False,
) -> ZarrOutput:
    return ZarrOutput((ZarrArray("a", dtype, (2, 5), fill_value, compressor, {}),), bottom_left, {})


def tile(column: int, row: int) -> TileRow:
    """Return a tile of 10 x 10 pixels of 10 m; rows count from the south."""
    west, south = 4_000_000 + column * 100, 3_000_000 + row * 100
    return TileRow(0, 0, f"{column}_{row}", 3035, (west, south, west + 100.0, south + 100.0), 10, 10)


def written(folder: Path, made: ZarrOutput, tiles: dict[tuple[int, int], Any]) -> Any:
    """Write tiles as files and open the group."""
    group = ZarrGroup.around([tile(*place) for place in tiles], made, 10, START)
    files = group.files("2024-06-01T00:00:00Z")
    for place, pixels in tiles.items():
        files |= dict(group.tile(tile(*place)).chunks("a", pixels))
    for key, content in files.items():
        (folder / key).parent.mkdir(exist_ok=True)
        (folder / key).write_bytes(content)
    return zarr.open_group(str(folder), mode="r")


def pixels(seed: int, dtype: str = "uint8") -> Any:
    return np.random.default_rng(seed).integers(1, 100, (10, 10)).astype(dtype)


@pytest.mark.parametrize("bottom_left", [False, True])
def test_tiles_lie_where_they_belong(tmp_path: Path, *, bottom_left: bool) -> None:
    tiles = {(0, 0): pixels(1), (2, 1): pixels(2)}
    group = written(tmp_path, output(bottom_left=bottom_left), tiles)
    expected = np.zeros((20, 30))
    expected[10:, :10], expected[:10, 20:] = tiles[0, 0], tiles[2, 1]
    y = 3_000_195 - 10 * np.arange(20)
    np.testing.assert_array_equal(group["a"][0], expected[::-1] if bottom_left else expected)
    np.testing.assert_array_equal(group["y"][:], y[::-1] if bottom_left else y)
    np.testing.assert_array_equal(group["x"][:], 4_000_005 + 10 * np.arange(30))
    assert group["time"][:].tolist() == [START.timestamp()]


@pytest.mark.parametrize("dtype", ["|u1", "<u2", ">u2", "<i2", ">i2", "<f4", ">f4", "<f8", ">f8"])
def test_all_types(tmp_path: Path, dtype: str) -> None:
    group = written(tmp_path, output(dtype, 7.0), {(0, 0): pixels(1)})
    assert (group["a"].dtype, group["a"].fill_value) == (np.dtype(dtype), 7)
    np.testing.assert_array_equal(group["a"][0], pixels(1))
    whole = json.loads((tmp_path / "a/.zarray").read_text())["fill_value"]
    assert isinstance(whole, int) == (dtype[1] != "f")


def test_signed_bytes(tmp_path: Path) -> None:
    signed = -pixels(1, "int8")
    group = written(tmp_path, output("|i1", -128), {(0, 0): signed})
    np.testing.assert_array_equal(group["a"][0], signed)


@pytest.mark.parametrize(
    "compressor",
    [
        {**BLOSC, "cname": "zstd", "shuffle": 2},
        {"id": "bz2", "level": 1},
        {"id": "gzip", "level": 0},
        {"id": "lz4", "acceleration": 65_537},
        {"id": "zlib"},
        {"id": "zstd", "level": 22, "checksum": True},
    ],
    ids=lambda compressor: compressor["id"],
)
def test_compressors(tmp_path: Path, compressor: dict[str, Any]) -> None:
    group = written(tmp_path, output(compressor=compressor), {(0, 0): pixels(1)})
    np.testing.assert_array_equal(group["a"][0], pixels(1))


@pytest.mark.parametrize("fill_value", [0, "NaN", "Infinity", "-Infinity", 1.5])
def test_chunks_of_nothing_but_the_fill_value_are_not_written(tmp_path: Path, fill_value: Any) -> None:
    values = pixels(1, "float32")
    values[2:4, :] = float(fill_value)  # two chunks
    values[0, 0] = float(fill_value)  # one value of a chunk
    group = written(tmp_path, output(fill_value=fill_value), {(0, 0): values})
    chunks = {path.name for path in (tmp_path / "a").iterdir()} - {".zarray", ".zattrs"}
    assert chunks == {f"0.{row}.{column}" for row in (0, 2, 3, 4) for column in (0, 1)}
    np.testing.assert_array_equal(group["a"][0], values)


def test_own_attributes_come_last(tmp_path: Path) -> None:
    array = ZarrArray("a", "|u1", (5, 5), 0, BLOSC, {"_ARRAY_DIMENSIONS": ["t", "v", "u"], "units": "1"})
    made = ZarrOutput((array,), False, {"date_modified": "never"})
    group = written(tmp_path, made, {(0, 0): pixels(1)})
    assert group.attrs["date_modified"] == "never"
    assert group["a"].attrs["_ARRAY_DIMENSIONS"] == ["t", "v", "u"]
    assert group["a"].attrs["units"] == "1"


def test_what_is_in_the_way_of_a_group() -> None:
    assert in_the_way(["x/request-1.json", "x/readme"], "x/") is None
    assert in_the_way(["x/readme", "x/a/0.0.0"], "x/") == "x/a/0.0.0"
    assert in_the_way([".zgroup"], "") == ".zgroup"
