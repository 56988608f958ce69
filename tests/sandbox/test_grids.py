"""Tiling grids, against tiles of the real service where they are known."""

from __future__ import annotations

import math
import random
import time
from typing import TYPE_CHECKING

import pytest
import shapely
from pyproj import CRS
from shapely import MultiPolygon, Point, Polygon, affinity, box

from airflow_provider_sentinelhub.sandbox.grids import (
    GRIDS,
    SUPPORTED_CRS,
    Tile,
    parse_crs,
    project,
    tiles,
)

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

CALIFORNIA = Polygon(
    [
        *((-119.2089, 36.1383), (-119.1323, 36.098), (-119.1282, 35.9869)),
        *((-119.2264, 35.9532), (-119.3263, 35.9822), (-119.3488, 36.0899)),
    ]
)

# North-western corners read from the published global mosaics, which are made on grid 2: name, EPSG, x, y.
MOSAIC_TILES = """
01DCF_0_0 32701 300000 2600020    01FBG_0_0 32701 199980 4700020    01RCL_0_0 32601 300000 3100020
01XDA_0_0 32601 399960 8100000    02MPB_0_0 32702 600000 9700000    02PQC_0_0 32602 699960 1800000
02VNH_0_0 32602 499980 6300000    04NEL_0_0 32604 499980  600000    04QHG_0_0 32604 799980 2200020
06LVK_0_0 32706 399960 8500000    07MEN_0_0 32707 499980 9300040    09VUK_0_0 32609 300000 7000020
11TME_0_0 32611 399960 4500000    14SKF_0_0 32614 199980 4100040    15CVV_0_0 32715 399960 2000020
15WXV_0_0 32615 600000 8000040    17FQF_0_0 32717 699960 4600000    17LNL_0_0 32717 499980 9100000
19FCU_0_0 32719 300000 3900040    19FGB_0_0 32719 699960 4200040    19GGQ_0_0 32719 699960 5500000
22EEQ_0_0 32722 499980 3000040    22XEL_0_0 32622 499980 8600040    23NKB_0_0 32623 199980  200040
28DEF_0_0 32728 499980 2100040    28GEA_0_0 32728 499980 5600020    29NPH_0_0 32629 600000  800040
29XMK_0_0 32629 399960 9000000    31NBG_0_0 32631 199980  700020    31WFM_0_0 32631 600000 7200000
32FLE_0_0 32732 300000 4000000    33TWM_0_0 32633 499980 5200020    33UUP_0_0 32633 300000 5400000
33UYP_0_0 32633 699960 5400000    34LHL_0_0 32734 799980 8600020    36HUK_0_0 32736 300000 6500020
36MZT_0_0 32736 799980 9300040    37GDJ_0_0 32737 399960 4900000    43SER_0_0 32643 499980 3600000
53MNV_0_0 32753 499980 10000000   54HTK_0_0 32754 199980 6500020    54HYB_0_0 32754 699960 5700040
56ELS_0_0 32756 300000 3200020    57LWC_0_0 32757 499980 8300020    60DWL_1_0 32760 600060 2600020
60FXM_1_0 32760 700080 4700020    60GXN_0_0 32760 600000 4800040    60MXA_0_0 32760 600000 9600040
60WWC_1_0 32660 600060 7800000    60WWV_1_0 32660 600060 7500000    60XWF_1_0 32660 600060 8100000
"""


def names(grid: int, area: BaseGeometry) -> list[str]:
    return [tile.name for tile in tiles(GRIDS[grid], area)]


def lonlat(epsg: int, x: float, y: float) -> Point:
    return Point(*project(Point(x, y), epsg, 4326).coords)


def mosaic_tiles() -> list[tuple[str, int, float, float]]:
    words = MOSAIC_TILES.split()
    return [
        (words[i], int(words[i + 1]), float(words[i + 2]), float(words[i + 3]))
        for i in range(0, len(words), 4)
    ]


@pytest.mark.parametrize(("name", "epsg", "x", "y"), mosaic_tiles())
def test_tiles_of_the_global_mosaics(name: str, epsg: int, x: float, y: float) -> None:
    size = GRIDS[2].tile_width
    found = {tile.name: tile for tile in tiles(GRIDS[2], lonlat(epsg, x + size / 2, y - size / 2))}
    assert found[name].epsg == epsg
    assert found[name].bounds == (x, y - size, x + size, y)


@pytest.mark.parametrize(
    ("name", "epsg", "x", "y"),
    [
        ("28PBB_2_6", 32628, 220_000, 1_630_000),
        ("28PBB_2_7", 32628, 220_000, 1_620_000),
        ("28PBB_3_6", 32628, 230_000, 1_630_000),
        ("31UDS_7_2", 32631, 470_000, 5_670_000),
    ],
)
def test_tiles_of_the_10_km_grid(name: str, epsg: int, x: float, y: float) -> None:
    bounds = (x, y, x + 10_000, y + 10_000)
    (tile,) = tiles(GRIDS[1], lonlat(epsg, x + 5_000, y + 5_000))
    assert (tile.name, tile.epsg, tile.bounds) == (name, epsg, bounds)


def test_ids_run_down_the_columns_of_a_square() -> None:
    by_name = {t.name: t.id for t in tiles(GRIDS[1], lonlat(32628, 250_000, 1_650_000).buffer(0.4))}
    assert by_name["28PBB_2_7"] - by_name["28PBB_2_6"] == 1
    assert by_name["28PBB_3_6"] - by_name["28PBB_2_6"] == 10


def test_the_area_of_the_tutorial_has_eight_tiles() -> None:
    assert len(tiles(GRIDS[1], CALIFORNIA)) == 8


def test_20_km_tiles_of_a_square() -> None:
    square = [
        tile
        for tile in tiles(GRIDS[0], lonlat(32633, 550_000, 5_150_000).buffer(1))
        if tile.name[:5] == "33TWM"
    ]
    assert {tile.name for tile in square} == {f"33TWM_{i}_{j}" for i in range(5) for j in range(5)}
    corner = next(tile for tile in square if tile.name == "33TWM_0_2")
    assert corner.bounds == (499_980, 5_200_020 - 3 * 20_040, 499_980 + 20_040, 5_200_020 - 2 * 20_040)


def test_antimeridian() -> None:
    """The tiles a real query there listed, however the area is written."""
    east, west = box(179, 68.6, 180, 69.2), box(-180, 68.6, -179, 69.2)
    expected = {"01WCS_0_0", "01WDS_0_0", "60WWB_0_0", "60WWB_1_0"}
    assert set(names(2, box(179, 68.6, 181, 69.2))) == expected
    assert set(names(2, box(-181, 68.6, -179, 69.2))) == expected
    assert set(names(2, MultiPolygon([east, west]))) == expected
    assert names(3, box(179.5, 10.2, 180.5, 10.8)) == ["N10E179", "N10W180"]


def test_norway_and_svalbard_have_zones_of_their_own() -> None:
    bergen, longyearbyen = Point(5.3, 60.4), Point(15.6, 78.2)
    assert {name[:3] for name in names(1, bergen)} == {"32V"}
    assert {name[:3] for name in names(1, longyearbyen)} == {"33X"}
    svalbard = {tile.epsg for tile in tiles(GRIDS[2], box(1, 76, 41, 80.5))}
    assert svalbard >= {32631, 32633, 32635, 32637}
    assert svalbard.isdisjoint({32632, 32634, 32636})


def test_southern_hemisphere() -> None:
    (tile,) = tiles(GRIDS[1], Point(18.42, -33.93))
    assert (tile.name, tile.epsg) == ("34HBH_6_5", 32734)


def test_both_sides_of_the_equator() -> None:
    assert {tile.epsg for tile in tiles(GRIDS[1], box(9, -0.01, 9.05, 0.01))} == {32632, 32732}


def test_an_area_across_two_zones() -> None:
    found = tiles(GRIDS[1], box(5.9, 50, 6.4, 50.1))
    assert {tile.epsg for tile in found} == {32631, 32632}


@pytest.mark.parametrize("grid", [0, 1, 2])
def test_no_place_without_a_tile(grid: int) -> None:
    """Points all over the covered world, and along every fifth zone boundary."""
    chance = random.Random(grid)
    limit = math.sin(math.radians(80.5))
    spread = [
        (chance.uniform(-180, 180), math.degrees(math.asin(chance.uniform(-limit, limit))))
        for _ in range(150)
    ]
    seams = [
        (lon + chance.uniform(-0.6, 0.6), chance.uniform(-80, 80))
        for lon in range(-180, 180, 30)
        for _ in "abc"
    ]
    for lon, lat in spread + seams:
        found = tiles(GRIDS[grid], Point(lon, lat))
        assert found, (lon, lat)
        for tile in found:
            assert covers(tile, lon, lat)


def covers(tile: Tile, lon: float, lat: float) -> bool:
    return bool(box(*tile.bounds).buffer(0.01).covers(project(Point(lon, lat), 4326, tile.epsg)))


def test_most_places_have_just_one_10_km_tile() -> None:
    """Redundant tiles are removed: seams between zones are the only places with two."""
    assert len(names(1, Point(2.9, 47.3))) == 1
    seam = tiles(GRIDS[1], box(11.0, 47.2, 13.0, 47.8))
    area = sum(shapely.area(box(*tile.bounds)) for tile in seam)
    union = shapely.union_all(
        [project(shapely.segmentize(box(*t.bounds), 1000), t.epsg, 32633) for t in seam]
    )
    assert area < 1.1 * union.area


def test_a_square_its_western_neighbour_covers_is_left_out() -> None:
    found = names(2, box(11.5, 47.9, 12.6, 48.5))
    assert "32UQU_0_0" in found
    assert not [name for name in found if name.startswith("33UT")]


def test_touching_counts() -> None:
    (tile,) = tiles(GRIDS[1], Point(2.64, 51.22))
    x, y = tile.bounds[2], (tile.bounds[1] + tile.bounds[3]) / 2
    assert names(3, box(13, 45, 14, 46)) == sorted(
        f"N{lat}E0{lon}" for lat in (44, 45, 46) for lon in (12, 13, 14)
    )
    assert names(1, lonlat(tile.epsg, x, y).buffer(1e-9)) == ["31UDS_7_2", "31UDS_8_2"]
    inside = affinity.scale(box(13, 45, 14, 46), 0.9999, 0.9999)
    assert names(3, inside) == ["N45E013"]


@pytest.mark.parametrize(
    ("place", "name", "bounds"),
    [
        (Point(4.5, 4.5), "N04E004", (4, 4, 5, 5)),
        (Point(5.5, 0.5), "N00E005", (5, 0, 6, 1)),
        (Point(35.5, -6.5), "S07E035", (35, -7, 36, -6)),
        (Point(-179.5, 89.5), "N89W180", (-180, 89, -179, 90)),
    ],
)
def test_degree_tiles(place: Point, name: str, bounds: tuple[int, ...]) -> None:
    (tile,) = tiles(GRIDS[3], place)
    assert (tile.name, tile.epsg, tile.bounds) == (name, 4326, bounds)


@pytest.mark.parametrize("place", [(-31.2, 39.5), (-18.1, 27.7), (44.7, 39.7), (20.0, 80.5), (-24.0, 65.5)])
def test_laea_tiles_reach_the_ends_of_europe(place: tuple[float, float]) -> None:
    for grid, size in ((6, 100_000), (7, 20_000)):
        (tile,) = tiles(GRIDS[grid], Point(place))
        assert tile.epsg == 3035
        assert [value % size for value in tile.bounds] == [0, 0, 0, 0]
        assert covers(tile, *place)
    assert names(6, Point(10.05, 52.05)) == ["100kmE43N32"]
    assert names(7, Point(10.05, 52.05)) == ["20kmE432N320"]


def test_where_no_grid_reaches() -> None:
    for grid in (0, 1, 2):
        assert tiles(GRIDS[grid], Point(10, 82.5)) == []
        assert tiles(GRIDS[grid], Point(10, -83)) == []
    assert tiles(GRIDS[6], CALIFORNIA) == []
    assert tiles(GRIDS[7], Point(0, -90).buffer(1)) == []
    assert tiles(GRIDS[1], Polygon()) == []


@pytest.mark.parametrize(("grid", "latitude"), [(0, 80.7), (1, 80.6), (2, 81.06)])
def test_where_the_utm_grids_end(grid: int, latitude: float) -> None:
    """The documented limits, to the tile: 80.7, 80.6 and 81 degrees."""
    column = tiles(GRIDS[grid], box(14.9, 80, 15.1, 84))
    assert lonlat(32633, 500_000, max(tile.bounds[3] for tile in column)).y == pytest.approx(
        latitude, abs=0.02
    )


@pytest.mark.parametrize("grid", [0, 1, 2, 3, 6, 7])
def test_names_and_ids_are_unique_and_ordered(grid: int) -> None:
    found = tiles(GRIDS[grid], box(2, 46, 10, 52))
    assert [tile.name for tile in found] == sorted({tile.name for tile in found})
    assert len({tile.id for tile in found}) == len(found)


def test_ten_thousand_tiles_take_no_time() -> None:
    start = time.process_time()
    assert len(tiles(GRIDS[1], box(-9.5, 36, 3.3, 43.8))) == 9856
    assert time.process_time() - start < 2


def test_an_invalid_area_is_repaired() -> None:
    bow_tie = Polygon([(2, 46), (2.4, 46.4), (2.4, 46), (2, 46.4)])
    assert set(names(1, bow_tie)) < set(names(1, box(2, 46, 2.4, 46.4)))


def test_description() -> None:
    assert GRIDS[0].to_json() == {
        "id": 0,
        "name": "20km grid",
        "properties": {
            "tileWidth": 20040.0,
            "tileHeight": 20040.0,
            "resolutions": [10.0, 20.0, 60.0],
            "unit": "METRE",
            "chunkWidth": 334,
            "chunkHeight": 167,
            "singleCrs": False,
        },
    }
    assert [grid.id for grid in GRIDS.values() if grid.single_crs] == [3, 6, 7]
    for grid in GRIDS.values():
        for resolution in grid.resolutions:
            assert grid.tile_width / resolution == pytest.approx(round(grid.tile_width / resolution))


def test_crs() -> None:
    assert parse_crs("http://www.opengis.net/def/crs/OGC/1.3/CRS84") == 4326
    assert parse_crs("http://www.opengis.net/def/crs/EPSG/0/4326") == 4326
    assert parse_crs("http://www.opengis.net/def/crs/EPSG/0/32633") == 32633
    for uri in (
        "EPSG:4326",
        "http://www.opengis.net/def/crs/EPSG/0/27700",
        "",
        "http://www.opengis.net/def/crs/EPSG/0/",
    ):
        with pytest.raises(ValueError, match="Unsupported CRS"):
            parse_crs(uri)


@pytest.mark.parametrize("epsg", sorted(SUPPORTED_CRS - set(range(32602, 32660)) - set(range(32702, 32760))))
def test_every_supported_crs_projects(epsg: int) -> None:
    use = CRS.from_epsg(epsg).area_of_use
    assert use is not None
    west, south = (use.west + use.east) / 2, (use.south + use.north) / 2
    area = box(west, south, west + 0.1, south + 0.1)
    assert project(project(area, 4326, epsg), epsg, 4326).equals_exact(area, 1e-6)


def test_the_far_side_of_the_world_has_no_place_in_laea() -> None:
    with pytest.raises(ValueError, match="EPSG:3035"):
        project(Point(-170, -52), 4326, 3035)
