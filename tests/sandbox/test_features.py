"""What a GeoPackage asks for, read from the file itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sandbox.geopackages import Layer, write_geopackage
from shapely.geometry import Point, Polygon, box

from airflow_provider_sentinelhub.sandbox import geopackage
from airflow_provider_sentinelhub.sandbox.features import feature_tiles
from airflow_provider_sentinelhub.sandbox.geopackage import GeoPackageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def three(tmp_path: Path) -> Path:
    rows = [
        {"identifier": f"f{i}", "geometry": box(i, 50, i + 0.5, 50.5), "width": 10, "height": 10}
        for i in range(3)
    ]
    return write_geopackage(tmp_path / "three.gpkg", Layer(rows, epsg=4326))


def test_more_features_than_the_service_takes(three: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(list(feature_tiles(three, {}, None, 3))) == 3
    monkeypatch.setattr(geopackage, "MAX_FEATURES", 2)
    with pytest.raises(GeoPackageError, match="has 3 features; at most 2 are allowed"):
        list(feature_tiles(three, {}, None, 3))


def test_more_features_than_the_sandbox_takes(three: Path) -> None:
    with pytest.raises(GeoPackageError, match="at most 2 features"):
        list(feature_tiles(three, {}, None, 2))
    # What the area leaves out does not count.
    assert [tile.name for tile, _ in feature_tiles(three, {}, box(0.6, 50, 2.1, 51), 2)] == ["f1", "f2"]


def test_ids_are_the_numbers_of_features_in_the_file(three: Path) -> None:
    found = [(tile.ordinal, tile.id) for tile, _ in feature_tiles(three, {}, box(0.6, 50, 2.1, 51), 3)]
    assert found == [(0, 2), (1, 3)]


def test_an_area_over_the_date_line_meets_both_sides(tmp_path: Path) -> None:
    rows = [
        {"identifier": str(west), "geometry": box(west, 0, west + 1, 1), "width": 1, "height": 1}
        for west in (-179, 0, 178)
    ]
    path = write_geopackage(tmp_path / "line.gpkg", Layer(rows, epsg=4326))
    found = [tile.name for tile, _ in feature_tiles(path, {}, box(178.5, 0, 181.5, 1), 3)]
    assert found == ["-179", "178"]


def test_an_outline_is_kept_where_the_box_is_not_filled(tmp_path: Path) -> None:
    square = Polygon([(0, 0), (0.5, 0), (1, 0), (1, 1), (0, 1)])  # with a vertex more than it needs
    shapes = {"square": square, "disc": Point(0.5, 0.5).buffer(0.5)}
    rows = [
        {"identifier": name, "geometry": shape, "width": 1, "height": 1} for name, shape in shapes.items()
    ]
    path = write_geopackage(tmp_path / "shapes.gpkg", Layer(rows, epsg=4326))
    outlines = {tile.name: outline for tile, outline in feature_tiles(path, {}, None, 2)}
    assert outlines == {"square": None, "disc": shapes["disc"].wkb}
