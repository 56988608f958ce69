"""GeoPackages, as GDAL reads and writes them."""

from __future__ import annotations

import random
import sqlite3
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas
import pytest
import shapely
from shapely import LineString, MultiPolygon, Point, Polygon, box
from shapely.geometry import mapping

from airflow_provider_sentinelhub.client.areas import Area
from airflow_provider_sentinelhub.client.crs import CRS84, project
from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.client.geopackage import (
    Feature,
    features_of,
    read_features,
    write_geopackage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
FIELD = box(500_000, 5_000_000, 501_000, 5_002_000)


def field(identifier: str, **changes: Any) -> Feature:
    return replace(Feature(identifier, FIELD, EPSG + "32633", resolution=10), **changes)


def faults(path: Path, *features: Feature) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        write_geopackage(path, features)
    return [str(fault) for fault in caught.value.faults]


def test_geopandas_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "fields.gpkg"
    two = MultiPolygon([box(14, 46, 14.1, 46.1), box(14.2, 46, 14.3, 46.1)])
    written = [
        field("a"),
        field("b", geometry=shapely.force_3d(FIELD), width=100, height=200, resolution=None),
        field("c", geometry=two, crs=CRS84, resolution=0.0001),
        field("d"),
    ]
    assert write_geopackage(path, iter(written)) == 4
    layers = geopandas.list_layers(path)
    assert list(layers.name) == ["features_32633", "features_4326"]
    assert list(layers.geometry_type) == ["MultiPolygon", "MultiPolygon"]
    utm = geopandas.read_file(path, layer="features_32633", fid_as_index=True)
    assert utm.crs.to_epsg() == 32633
    assert list(utm.index) == [1, 2, 4]
    assert list(utm.identifier) == ["a", "b", "d"]
    assert list(utm.total_bounds) == list(FIELD.bounds)
    degrees = geopandas.read_file(path, layer="features_4326")
    assert degrees.crs.to_epsg() == 4326
    assert degrees.geometry[0].equals(two)
    back = {feature.identifier: feature for feature in read_features(path)}
    assert list(back) == ["a", "b", "d", "c"]
    assert back["b"] == Feature("b", MultiPolygon([FIELD]), "EPSG:32633", 100, 200)
    assert back["c"] == Feature("c", two, "EPSG:4326", resolution=0.0001)
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("PRAGMA application_id").fetchone() == (0x47504B47,)
    database.close()


def test_reading_what_geopandas_writes(tmp_path: Path) -> None:
    path = tmp_path / "fields.gpkg"
    frame = geopandas.GeoDataFrame(
        {"id": [1, 2], "identifier": ["a", None]}, geometry=[FIELD, FIELD], crs=32633
    )
    frame.to_file(path, layer="north")
    frame.set_index("id")[["geometry", "identifier"]].assign(width=10, height=20).to_crs(4326).to_file(
        path, layer="south"
    )
    found = list(read_features(path))
    assert [(f.identifier, f.crs, f.width, f.height) for f in found] == [
        ("a", "EPSG:32633", None, None),
        ("", "EPSG:32633", None, None),
        ("a", "EPSG:4326", 10, 20),
        ("", "EPSG:4326", 10, 20),
    ]
    assert found[0].geometry.equals(FIELD)
    told = faults(tmp_path / "again.gpkg", *found)
    assert [fault.split(":")[0] for fault in told] == [
        "feature 1 (a), resolution",
        "feature 2, identifier",
        "feature 2, resolution",
        "feature 3 (a), identifier",
        "feature 4, identifier",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"identifier": ""}, "feature 1, identifier: is missing"),
        ({"crs": "EPSG:27700"}, "feature 1 (a), crs: the service does not take EPSG:27700"),
        ({"geometry": Point(0, 0)}, "geometry: is a Point"),
        ({"geometry": LineString([(0, 0), (1, 1)])}, "geometry: is a LineString"),
        ({"geometry": Polygon()}, "geometry: is empty"),
        (
            {"geometry": Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])},
            "geometry: is not valid: Self-intersection",
        ),
        ({"resolution": None}, "resolution: is missing"),
        ({"resolution": -10}, "resolution: -10 is not above 0"),
        ({"resolution": 0.5}, "makes it 2000 x 4000 pixels, more than 3500"),
        ({"width": 10}, "height: None is not 1 to 3500 pixels"),
        ({"width": 3501, "height": 10}, "width: 3501 is not 1 to 3500 pixels"),
    ],
)
def test_faults(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    (found,) = faults(tmp_path / "fields.gpkg", replace(field("a"), **changes))
    assert told in found
    assert list(tmp_path.iterdir()) == []


def test_all_faults_are_told_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "fields.gpkg"
    write_geopackage(path, [field("old")])
    found = faults(
        path, field("a"), field("a", crs=CRS84, geometry=box(14, 46, 14.1, 46.1)), field("b", resolution=0)
    )
    assert [fault.split(":")[0] for fault in found] == [
        "feature 2 (a), resolution",
        "feature 2 (a), identifier",
        "feature 3 (b), resolution",
    ]
    assert [feature.identifier for feature in read_features(path)] == ["old"]
    assert faults(path) == ["features: there are none. Give at least one"]
    many = faults(path, *(field(f"f{i}", resolution=None) for i in range(150)))
    assert (len(many), many[-1]) == (101, "features: 50 more faults were found. Mend the others first")


def test_sizes_are_at_most_what_the_service_takes(tmp_path: Path) -> None:
    largest = field("a", geometry=box(0, 0, 35_000, 35_000), resolution=10)
    assert write_geopackage(tmp_path / "fields.gpkg", [largest, field("b", width=3500, height=3500)]) == 2


def test_defaults_are_for_features_that_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "fields.gpkg"
    write_geopackage(path, [field("a", resolution=None), field("b", resolution=20)], width=64, height=32)
    assert [(f.width, f.height, f.resolution) for f in read_features(path)] == [
        (64, 32, None),
        (None, None, 20),
    ]


def many(count: int) -> Iterator[Feature]:
    for i in range(count):
        yield Feature(f"feature-{i}", shapely.box(i, i, i + 9, i + 9), EPSG + str(32601 + i % 3), 16, 16)


def test_memory_does_not_grow_with_the_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fields.gpkg"
    peaks = []
    write_geopackage(path, many(10))
    for count in (500, 5000):
        tracemalloc.start()
        assert write_geopackage(path, many(count)) == count
        assert sum(1 for _ in read_features(path)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000
    monkeypatch.setattr("airflow_provider_sentinelhub.client.geopackage.writing.MAX_FEATURES", 300)
    with pytest.raises(DefinitionError, match="there are more than 300, the most that the service takes"):
        write_geopackage(path, many(10**9))


@pytest.mark.parametrize("content", [b"", b"not a database, by far" * 100])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fields.gpkg").write_bytes(content)
    with pytest.raises(DefinitionError, match="is not a GeoPackage"):
        next(read_features(tmp_path / "fields.gpkg"))
    with pytest.raises(DefinitionError, match="there is no file"):
        next(read_features(tmp_path / "other.gpkg"))


def test_other_geopackages_are_refused(tmp_path: Path) -> None:
    geopandas.GeoDataFrame(geometry=[FIELD], crs=32633).to_file(tmp_path / "nameless.gpkg")
    with pytest.raises(DefinitionError, match="layer nameless has no column identifier"):
        next(read_features(tmp_path / "nameless.gpkg"))


def test_features_of_polygons_go_to_their_utm_zone() -> None:
    chance = random.Random(4)
    places = [(chance.uniform(-179, 179), chance.uniform(-75, 75)) for _ in range(30)]
    shapes = [box(lon, lat, lon + 0.05, lat + 0.02) for lon, lat in places]
    frame = geopandas.GeoDataFrame({"code": range(30)}, geometry=shapes, crs=4326)
    found = list(features_of(frame, 10, identifier="code"))
    assert [feature.identifier for feature in found] == [str(i) for i in range(30)]
    for feature, shape in zip(found, shapes, strict=True):
        lon, lat = shape.centroid.x, shape.centroid.y
        zone = int((lon + 180) // 6) + 1
        assert feature.crs == f"{EPSG}{(32600 if lat > 0 else 32700) + zone}"
        assert feature.resolution == 10
        back = project(feature.geometry, feature.crs, CRS84)
        assert back.symmetric_difference(shape).area < 1e-6 * shape.area
    (one, *_) = features_of(frame, 20, identifier="code", crs="EPSG:3857")
    assert (one.crs, one.resolution) == (EPSG + "3857", 20)


def test_features_of_other_sources() -> None:
    (area,) = features_of(Area.read([14, 46, 14.1, 46.1]), 10)
    assert (area.identifier, area.crs) == ("area", EPSG + "32633")
    (same,) = features_of(FIELD, 10, source_crs=32634)
    assert (same.crs, same.geometry.equals(FIELD)) == (EPSG + "32634", True)
    square = mapping(box(1, 2, 3, 4))
    collection: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": "north",
                "properties": None,
                "geometry": square,
            },
            {"type": "Feature", "properties": {}, "geometry": square},
        ],
    }
    with pytest.raises(DefinitionError, match="features 2 have no property 'id'"):
        list(features_of(collection, 10))
    (named,) = features_of({**collection, "features": collection["features"][:1]}, 10)
    assert named.identifier == "north"


def test_a_feature_across_the_antimeridian_is_one_piece() -> None:
    (feature,) = features_of([179.9, 10, -179.8, 10.1], 10)
    assert feature.crs == EPSG + "32601"
    assert feature.geometry.geom_type == "Polygon"
    assert feature.geometry.is_valid
    west, south, east, north = feature.geometry.bounds
    assert east - west == pytest.approx(32_900, rel=0.01)
    assert north - south == pytest.approx(11_060 + 305, rel=0.01)  # seen askew, off the zone's middle


def test_features_along_a_grid(tmp_path: Path) -> None:
    area = Area.read([5.9, 50, 6.4, 50.1])
    found = list(features_of(area, 5, grid_id=1))
    assert {feature.crs for feature in found} == {EPSG + "32631", EPSG + "32632"}
    assert all(feature.geometry.area == 1e8 for feature in found)
    assert "31UGR_3_5" in {feature.identifier for feature in found}
    assert write_geopackage(tmp_path / "tiles.gpkg", found) == len(found)
