"""The published grids as the client knows them, against those of the sandbox."""

from __future__ import annotations

import math
import random

import pytest
from shapely import Polygon, box
from shapely.geometry.base import BaseGeometry

from airflow_provider_sentinelhub.client import grids
from airflow_provider_sentinelhub.client.areas import Area
from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.client.models import TilingGrid
from airflow_provider_sentinelhub.sandbox.grids import GRIDS as SERVED
from airflow_provider_sentinelhub.sandbox.grids import tiles

# The area of Sentinel Hub's own batch tutorial.
CALIFORNIA = Polygon(
    [
        *((-119.2089, 36.1383), (-119.1323, 36.098), (-119.1282, 35.9869)),
        *((-119.2264, 35.9532), (-119.3263, 35.9822), (-119.3488, 36.0899)),
    ]
)
IDS = (0, 1, 2, 3, 6, 7)


def ours(area: Area, grid_id: int) -> set[tuple[str, str, tuple[float, ...]]]:
    return {(t.name, t.crs.rsplit("/", 1)[1], t.bounds) for t in grids.tiles_of(area, grid_id)}


def theirs(area: Area, grid_id: int) -> set[tuple[str, str, tuple[float, ...]]]:
    return {(t.name, str(t.epsg), t.bounds) for t in tiles(SERVED[grid_id], area.in_lon_lat().geometry)}


def somewhere(chance: random.Random, case: int) -> BaseGeometry:
    """A polygon anywhere: mostly across zones, in Europe, or at the antimeridian."""
    lon, lat = chance.uniform(-180, 180), math.degrees(math.asin(chance.uniform(-1, 1)))
    if case % 4 == 1:
        lon = 6 * chance.randint(-30, 30) + chance.uniform(-0.5, 0.5)
    elif case % 4 == 2:
        lon, lat = chance.uniform(-30, 45), chance.uniform(28, 81)
    size = chance.choice((0.02, 0.1, 0.6, 1.5))
    radii = [size * chance.uniform(0.3, 1) for _ in range(7)]
    turns = [math.tau * i / 7 for i in range(7)]
    ring = [(lon + r * math.cos(t), lat + r * math.sin(t)) for r, t in zip(radii, turns, strict=True)]
    return Polygon(ring).intersection(box(-400, -90, 400, 90))


@pytest.mark.parametrize("grid_id", IDS)
def test_random_areas_have_the_tiles_that_the_sandbox_gives_them(grid_id: int) -> None:
    chance, found = random.Random(9), 0
    for case in range(24):
        area = Area.read(somewhere(chance, case))
        expected = theirs(area, grid_id)
        assert ours(area, grid_id) == expected, area.geometry.wkt
        found += len(expected)
    assert found >= 20


@pytest.mark.parametrize(
    ("place", "grid_id"),
    [
        ((2, 76, 40, 80.6), 2),  # Svalbard, with its own zones
        ((2, 57, 13, 64.5), 2),  # Norway
        ((-1, -1, 1, 1), 1),  # both sides of the equator
        ((170, 62, -170, 66), 2),  # the antimeridian, where zone 60 leaves squares out
        ((174, -50, -178, -40), 2),
        ((-180, -90, 180, 90), 6),
        ((-32, 27, 46, 72), 7),
        ((179.5, -90, -179.5, 90), 3),
    ],
)
def test_peculiar_places(place: tuple[float, ...], grid_id: int) -> None:
    area = Area.read(place)
    assert ours(area, grid_id) == theirs(area, grid_id)
    assert ours(area, grid_id)


def test_the_tutorials_area_has_eight_tiles() -> None:
    found = grids.tiles_of(Area.read(CALIFORNIA), 1, 10)
    assert len(found) == 8
    assert [tile.name for tile in found] == sorted(tile.name for tile in found)
    assert {(tile.width, tile.height) for tile in found} == {(1000, 1000)}


def test_an_area_in_another_crs() -> None:
    area = Area.read(box(471_000, 5_671_000, 479_000, 5_679_000), crs=32631)
    (tile,) = grids.tiles_of(area, 1)
    assert tile == grids.GridTile(
        "31UDS_7_2", "http://www.opengis.net/def/crs/EPSG/0/32631", (470_000, 5_670_000, 480_000, 5_680_000)
    )


def test_where_no_grid_reaches() -> None:
    assert grids.tiles_of(Area.read([10, 82.5, 11, 83]), 1) == []
    assert grids.tiles_of(Area.read([10, -89, 11, -85]), 2) == []
    assert grids.tiles_of(Area.read(CALIFORNIA), 6) == []


@pytest.mark.parametrize("grid_id", IDS)
def test_descriptions_are_what_the_sandbox_serves(grid_id: int) -> None:
    assert grids.describe(grid_id) == TilingGrid.from_wire(SERVED[grid_id].to_json())
    assert bool(grids.caveat(grid_id)) == (grid_id != 3)


def test_pixels() -> None:
    documented: dict[int, dict[float, int]] = {
        0: {10: 2004, 20: 1002, 60: 334},
        1: {10: 1000, 20: 500},
        2: {60: 1668, 120: 834, 240: 417, 360: 278},
        3: {0.0001: 10_000, 0.0002: 5_000},
        6: {40: 2500, 50: 2000, 100: 1000},
        7: {10: 2000, 20: 1000},
    }
    for grid_id, sizes in documented.items():
        for resolution, size in sizes.items():
            assert grids.pixels(grids.describe(grid_id), resolution) == (size, size)


def test_which_grids_offer_a_resolution() -> None:
    assert [grid.id for grid in grids.fitting(10)] == [0, 1, 7]
    assert [grid.id for grid in grids.fitting(60)] == [0, 2]
    assert [grid.id for grid in grids.fitting(0.0001)] == [3]
    assert grids.fitting(33) == []
    assert grids.fitting(30, [TilingGrid(0, "20km grid", 20_040, 20_040, "METRE", (30,))])


def test_faults() -> None:
    with pytest.raises(DefinitionError, match=r"no grid 4 is published. Choose one of 0 \(20km grid\); 1"):
        grids.describe(4)
    with pytest.raises(DefinitionError, match=r"grid 1 \(10km grid\) does not have 60. Choose one of 10, 20"):
        grids.tiles_of(Area.read(CALIFORNIA), 1, 60)
