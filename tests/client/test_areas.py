"""Areas: each form they come in, what is wrong with them, and what is made of them."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import antimeridian
import geopandas
import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from sentinelhub.constants import CRS
from sentinelhub.geometry import BBox, Geometry
from shapely import MultiPolygon, Point, Polygon, affinity, box

from airflow_provider_sentinelhub.client.areas import Area
from airflow_provider_sentinelhub.client.crs import CRS84, crs_url, project
from airflow_provider_sentinelhub.client.errors import DefinitionError

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
FIELD = Polygon([(14, 46), (14.2, 46), (14.2, 46.1), (14.1, 46.15), (14, 46.1)])
GEOJSON = json.loads(shapely.to_geojson(FIELD))
FEATURE = {"type": "Feature", "properties": {"name": "field"}, "geometry": GEOJSON}
BOW_TIE = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])


def geojson(geometry: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shapely.to_geojson(geometry))
    return found


def faults(value: Any, **options: Any) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        Area.read(value, **options)
    return [str(fault) for fault in caught.value.faults]


def star(chance: random.Random, lon: float, lat: float, size: float, vertices: int = 9) -> Polygon:
    """A star-shaped polygon with a hole around a place."""

    def ring(low: float, high: float, count: int) -> list[tuple[float, float]]:
        turns = [math.tau * i / count for i in range(count)]
        radii = [size * chance.uniform(low, high) for _ in turns]
        return [(lon + r * math.cos(t), lat + r * math.sin(t)) for r, t in zip(radii, turns, strict=True)]

    return Polygon(ring(0.6, 1, vertices), [ring(0.1, 0.3, 5)])


def wrapped_around(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack(((points[:, 0] + 180) % 360 - 180, points[:, 1]))


class Surveyed:
    __geo_interface__ = FEATURE


@pytest.mark.parametrize(
    "value",
    [
        FIELD,
        shapely.force_3d(FIELD, 300),
        shapely.reverse(FIELD),
        GEOJSON,
        json.dumps(GEOJSON),
        FEATURE,
        {"type": "FeatureCollection", "features": [FEATURE, {**FEATURE, "geometry": None}]},
        {"type": "GeometryCollection", "geometries": [GEOJSON]},
        {**GEOJSON, "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}},
        {"geometry": GEOJSON, "properties": {"crs": CRS84}},
        FIELD.wkt,
        f" {FIELD.wkt}\n",
        Surveyed(),
        geopandas.GeoSeries([FIELD, None]),
        geopandas.GeoDataFrame({"id": [7]}, geometry=[FIELD], crs="OGC:CRS84"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_forms_in_lon_lat(value: Any) -> None:
    area = Area.read(value)
    assert area.geometry.equals(FIELD)
    assert isinstance(area.geometry, Polygon)
    assert area.geometry.exterior.is_ccw
    assert not area.geometry.has_z
    wire = area.to_wire()
    assert wire["properties"] == {"crs": CRS84}
    assert wire["geometry"]["type"] == "Polygon"
    assert json.loads(json.dumps(wire)) == wire


@pytest.mark.parametrize(
    "value",
    [
        [1, 2, 3, 4],
        np.array([1, 2, 3, 4]),
        Area(box(1, 2, 3, 4), rectangle=True),
        (1.0, "2", 3, 4),
        "1,2,3,4",
        " 1 2 3 4 ",
        "[1, 2, 3, 4]",
        "(1, 2.0, 3e0, 4)",
    ],
)
def test_a_box(value: Any) -> None:
    assert Area.read(value).to_wire() == {"bbox": [1, 2, 3, 4], "properties": {"crs": CRS84}}


def test_forms_that_say_their_crs() -> None:
    square = box(500_000, 5_000_000, 510_000, 5_010_000)
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    for value in (
        f"SRID=32633;{square.wkt}",
        {**geojson(square), "crs": named},
        Geometry(square, CRS("32633")),
        geopandas.GeoSeries([square], crs=32633),
        geopandas.GeoDataFrame(geometry=[square], crs=32633),
    ):
        assert Area.read(value).geometry.equals(square)
        assert Area.read(value, crs="EPSG:32633").crs == EPSG + "32633"
    bbox = BBox(square.bounds, CRS("32633"))
    expected = {"bbox": list(square.bounds), "properties": {"crs": EPSG + "32633"}}
    assert Area.read(bbox).to_wire() == Area.read(square.bounds, crs=32633).to_wire() == expected
    assert Area.read(expected).to_wire() == expected
    assert faults(bbox, crs=32634) == [
        f"area_crs: the area says that its CRS is {EPSG}32633, not {EPSG}32634. Leave it out"
    ]


def test_coordinates_that_are_nowhere() -> None:
    area = Area.read([1e9, 1e9, 2e9, 2e9], crs=3035)
    with pytest.raises(DefinitionError, match="reaches beyond what EPSG:4326 can hold"):
        area.in_lon_lat()


def test_geojson_is_longitude_first_whatever_its_crs_says() -> None:
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4326"}}
    area = Area.read({**GEOJSON, "crs": named}, crs="OGC:CRS84")
    assert area.geometry.equals(FIELD)
    assert area.crs == EPSG + "4326"


@pytest.mark.parametrize("suffix", [".geojson", ".json", ".wkt", ".txt", ".gpkg", ".shp"])
def test_files_and_objects(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"field{suffix}"
    if suffix in (".gpkg", ".shp"):
        geopandas.GeoDataFrame({"id": [1]}, geometry=[FIELD], crs=4326).to_file(path)
    else:
        path.write_text(json.dumps(FEATURE) if "json" in suffix else FIELD.wkt)
    assert Area.read(path).geometry.equals(Area.read(str(path)).geometry)
    assert Area.read(path).geometry.equals(FIELD)
    if suffix != ".shp":
        objects = {f"s3://bucket/field{suffix}": path.read_bytes()}
        assert Area.read(f"s3://bucket/field{suffix}", opener=objects.__getitem__).geometry.equals(FIELD)


def test_a_file_of_two_layers_is_refused(tmp_path: Path) -> None:
    for layer in ("north", "south"):
        geopandas.GeoDataFrame(geometry=[FIELD], crs=4326).to_file(tmp_path / "two.gpkg", layer=layer)
    (found,) = faults(tmp_path / "two.gpkg")
    assert found == "area: is a file of 2 layers (north, south). Give a file with one layer of polygons"


def test_several_features_become_one_area() -> None:
    west, east, far = box(0, 0, 1, 1), box(1, 0, 2, 1), box(5, 5, 6, 6)
    features = [{"type": "Feature", "properties": {}, "geometry": geojson(g)} for g in (west, east, far)]
    area = Area.read({"type": "FeatureCollection", "features": features})
    assert area.geometry.equals(MultiPolygon([box(0, 0, 2, 1), far]))
    assert all(part.exterior.is_ccw for part in shapely.get_parts(area.geometry))


@pytest.mark.parametrize(
    ("value", "options", "told"),
    [
        ("POLYGON EMPTY", {}, "area: is empty"),
        ({"type": "FeatureCollection", "features": []}, {}, "area: is empty"),
        (Point(1, 2), {}, "area: has a Point in it"),
        ("LINESTRING (0 0, 1 1)", {}, "area: has a LineString in it"),
        (BOW_TIE, {}, "area: is not valid: Self-intersection at 0.5 0.5"),
        ([50, 120, 51, 121], {}, "axes seem to be swapped"),
        ([500_000, 5_000_000, 510_000, 5_010_000], {}, "Say in which CRS it is"),
        ([14, 46, 15, 47], {"crs": 32633}, "degrees, while its CRS counts metres"),
        (FIELD, {"crs": 27700}, "area_crs: its CRS cannot be used: the service does not take EPSG:27700"),
        (FIELD, {"crs": "somewhere"}, "'somewhere' is not a CRS"),
        (geopandas.GeoSeries([FIELD], crs=27700), {}, "the service does not take EPSG:27700"),
        ({**GEOJSON, "crs": {"type": "link"}}, {}, "its crs member names no CRS"),
        ("POLYGON ((0 0, 1 nan, 1 0, 0 0))", {}, "coordinates that are not numbers"),
        ([1, 1, 1, 2], {}, "is not valid: Too few points"),
        ([3, 4, 1, 2], {}, "is a box from 3 4 to 1 2"),
        ([1, 2, 3], {}, "is a list"),
        ([1, 2, "x", 4], {}, "cannot be read (ValueError"),
        ({"bbox": [1, 2, 3, 4], "geometry": GEOJSON}, {}, "has both a bbox and a geometry"),
        ({"type": "Polygon"}, {}, "GeoJSON without coordinates"),
        ({}, {}, "cannot be read (KeyError"),
        ("", {}, "'' is neither an area nor a file"),
        ("fields.geojson", {}, "is neither an area nor a file"),
        ("{", {}, "cannot be read (JSONDecodeError"),
        ("POLYGON ((0 0, 1", {}, "cannot be read (GEOSException"),
        ("s3://bucket/a.geojson", {}, "cannot be opened here"),
        ("https://example.com/a.geojson", {}, "cannot be opened here"),
        (None, {}, "is a NoneType"),
        (FIELD, {"tolerance_m": 0}, "area_tolerance: 0 is not above 0"),
    ],
)
def test_faults(value: Any, options: dict[str, Any], told: str) -> None:
    (found,) = faults(value, **options)
    assert told in found


def test_all_faults_are_told_at_once() -> None:
    geometries = [BOW_TIE, FIELD, Point(0, 0), box(0, 0, 1, 100)]
    found = faults(geopandas.GeoSeries(geometries), crs="EPSG:1")
    assert [fault.split(".")[0] for fault in found] == [
        "area_crs: its CRS cannot be used: 'EPSG:1' is not a CRS that can be read",
        "area: geometry 1 is not valid: Self-intersection at 0",
        "area: geometry 3 has a Point in it",
    ]
    assert "geometry 4 reaches from 0 0 to 1 100" in faults(geopandas.GeoSeries(geometries))[-1]
    assert [fault.split(":")[0] for fault in faults(BOW_TIE, tolerance_m=-1, invalid="mend")] == [
        "invalid_area",
        "area_tolerance",
        "area",
    ]
    many = faults(geopandas.GeoSeries([BOW_TIE] * 50))
    assert (len(many), many[-1]) == (11, "area: has 40 more faults. Mend the others first")


def test_repair_keeps_the_polygons() -> None:
    assert Area.read(BOW_TIE, invalid="repair").geometry.area == pytest.approx(0.5)
    spike = Polygon([(0, 0), (2, 0), (2, 2), (2, 5), (2, 2), (0, 2)])
    assert Area.read(spike, invalid="repair").geometry.equals(box(0, 0, 2, 2))
    overlapping = MultiPolygon([box(0, 0, 2, 1), box(1, 0, 3, 1)])
    assert Area.read(overlapping, invalid="repair").geometry.equals(box(0, 0, 3, 1))
    (found,) = faults(Polygon([(0, 0), (1, 1), (0, 0)]), invalid="repair")
    assert "nothing left" in found


def test_random_round_trips() -> None:
    chance = random.Random(11)
    for _ in range(30):
        shape = star(chance, chance.uniform(-160, 160), chance.uniform(-70, 70), chance.uniform(0.01, 10))
        area = Area.read(shape)
        assert area.geometry.equals(shape)
        for form in (geojson(shape), shape.wkt, json.dumps(geojson(shape)), area.to_wire(), area):
            assert Area.read(form).geometry.equals_exact(area.geometry, 1e-12)
            assert Area.read(form).to_wire() == Area.read(Area.read(form).to_wire()).to_wire()


def test_whatever_is_read_is_sound() -> None:
    """Random rings, most of them wrong: each is refused with a reason, or comes out valid and in range."""
    chance, sound = random.Random(8), 0
    for _ in range(400):
        ring = [
            (
                chance.choice((chance.uniform(-400, 400), chance.uniform(-180, 180), 180, -180, 0)),
                chance.choice((chance.uniform(-95, 95), chance.uniform(-90, 90), 90, -90, 0)),
            )
            for _ in range(chance.randint(3, 8))
        ]
        try:
            area = Area.read({"type": "Polygon", "coordinates": [[*ring, ring[0]]]}, invalid="repair")
        except DefinitionError:
            continue
        sound += 1
        west, south, east, north = area.bounds
        assert area.geometry.is_valid
        assert -180 <= west < east <= 180
        assert -90 <= south < north <= 90
        assert 0 < area.km2 < 510_065_622
    assert sound > 50


def test_across_the_antimeridian() -> None:
    """As the antimeridian package cuts them, however they are written."""
    chance = random.Random(5)
    for _ in range(40):
        shape = star(
            chance, chance.choice([-180, 180, 178, -175]), chance.uniform(-70, 70), chance.uniform(0.1, 15)
        )
        wrapped = shapely.transform(shape, wrapped_around)
        expected = antimeridian.fix_polygon(wrapped, great_circle=False, fix_winding=True)
        for value in (shape, geojson(wrapped), geojson(shape), shape.wkt):
            area = Area.read(value)
            assert area.geometry.is_valid
            assert area.geometry.area == pytest.approx(shape.area, rel=1e-9)
            # The package rounds to seven decimals.
            assert area.geometry.symmetric_difference(expected).area < 1e-5
            assert -180 <= area.bounds[0] <= area.bounds[2] <= 180
    halves = MultiPolygon([box(-180, -10, -170, 10), box(170, -10, 180, 10)])
    assert Area.read("170, -10, -170, 10").geometry.equals(halves)
    wire = Area.read([170, -10, 190, 10]).to_wire()
    assert wire["geometry"]["type"] == "MultiPolygon"
    assert json.loads(json.dumps(wire)) == wire
    assert Area.read(geojson(halves)).geometry.equals(halves)


def test_around_the_poles() -> None:
    north = [[lon, 80.0] for lon in range(-170, 190, 20)]
    cap = Area.read({"type": "Polygon", "coordinates": [north]})
    assert cap.geometry.equals(box(-180, 80, 180, 90))
    ring = {"type": "Polygon", "coordinates": [north, [[lon, 85] for lon, _ in north]]}
    assert Area.read(ring).geometry.equals(box(-180, 80, 180, 85))
    south = {"type": "Polygon", "coordinates": [[[lon, -75] for lon, _ in reversed(north)]]}
    assert Area.read(south).geometry.equals(box(-180, -90, 180, -75))
    # Antarctica as maps have it, already cut: nothing is to be done.
    antarctica = Polygon([(-180, -80), (-90, -70), (0, -72), (90, -70), (180, -80), (180, -90), (-180, -90)])
    assert Area.read(geojson(antarctica)).geometry.equals(antarctica)
    world = box(-180, -90, 180, 90)
    assert Area.read(geojson(world)).geometry.equals(world)
    disc = Area.read(Point(0, 0).buffer(1_000_000, 64), crs="EPSG:3413").in_lon_lat()
    assert disc.geometry.is_valid
    assert disc.bounds == pytest.approx((-180, 80.788, 180, 90), abs=1e-3)


def test_size() -> None:
    """On the ellipsoid, as pyproj has it for edges short enough."""
    geod = Geod(ellps="WGS84")
    chance = random.Random(2)
    for lat in (0, 45, -60, 80, -88):
        shape = star(chance, 20, lat, 1.5)
        expected = abs(
            geod.geometry_area_perimeter(shapely.orient_polygons(shapely.segmentize(shape, 0.01)))[0]
        )
        assert Area.read(shape).km2 == pytest.approx(expected / 1e6, rel=1e-6)
    assert Area.read([-180, -90, 180, 90]).km2 == pytest.approx(510_065_621.724, abs=0.01)
    square = Area.read(box(500_000, 5_000_000, 510_000, 5_010_000), crs=32633)
    assert square.km2 == pytest.approx(100 / 0.9996**2, rel=1e-5)
    assert Area.read(box(20_000_000, 0, 20_100_000, 100_000), crs=3857).km2 == pytest.approx(9_932, rel=1e-3)


def test_a_hundred_thousand_vertices_are_simplified_within_the_tolerance() -> None:
    chance = random.Random(1)
    for crs, place, unit, count in (
        (4326, (14, 46), 1, 100_000),
        (4326, (14, -75), 1, 10_000),
        (32633, (500_000, 5_000_000), 1e5, 10_000),
    ):
        turns = [math.tau * i / count for i in range(count)]
        radii = [unit * (0.5 + 0.1 * math.sin(5 * t) + chance.uniform(0, 1e-5)) for t in turns]
        ring = [
            (place[0] + r * math.cos(t), place[1] + r * math.sin(t))
            for r, t in zip(radii, turns, strict=True)
        ]
        hole = Point(place).buffer(unit * 0.1, 500)
        shape = Polygon(ring, [hole.exterior])
        (found,) = faults(shape, crs=crs)
        assert found.startswith(f"area: has {count + 2002} vertices, more than 1500. A tolerance ")
        enough = float(found.split()[-4])
        area = Area.read(shape, crs=crs, tolerance_m=enough)
        assert area.vertices <= 1500
        assert area.geometry.is_valid
        assert len(shapely.get_rings(area.geometry)) == 2
        local = crs_url(32633 if place[1] > 0 else 32733)
        outline = project(area.geometry, area.crs, local, step=0.001 if crs == 4326 else None).boundary
        shapely.prepare(outline)
        points = shapely.get_coordinates(project(shape, area.crs, local))[::7]
        # UTM's scale and the edges' sag, both of them below 1 %, are not the tolerance's.
        assert shapely.dwithin(outline, shapely.points(points), enough * 1.01).all()
        (found,) = faults(shape, crs=crs, tolerance_m=0.01)
        assert "too many even when simplified by 0.01 m" in found


def test_an_outline_is_left_alone_that_has_few_vertices() -> None:
    shape = star(random.Random(3), 10, 50, 1, vertices=1000)
    assert Area.read(shape, tolerance_m=500).geometry.equals(shape)


def test_what_no_tolerance_mends() -> None:
    islands = shapely.union_all([box(x, y, x + 0.5, y + 0.5) for x in range(20) for y in range(20)])
    (found,) = faults(affinity.translate(islands, 5, 5), tolerance_m=100)
    assert "it has 400 rings" in found
    assert Area.read(islands, max_vertices=2000).vertices == 2000


def test_importing_loads_nothing_heavy() -> None:
    code = """
import sys
from airflow_provider_sentinelhub.client import areas, grids, geopackage
print([name for name in ("numpy", "shapely", "pyproj", "geopandas", "airflow") if name in sys.modules])
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_what_is_said_without_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "field.gpkg").touch()
    for module in ("pyproj", "geopandas"):
        monkeypatch.setitem(sys.modules, module, None)
    from airflow_provider_sentinelhub.client import crs

    crs._transformer.cache_clear()
    area = Area.read([500_000, 5_000_000, 510_000, 5_010_000], crs=32633)
    with pytest.raises(DefinitionError, match=r"Install airflow-provider-sentinelhub\[geo\]"):
        area.in_lon_lat()
    assert Area.read([1, 2, 3, 4]).km2 > 0
    (found,) = faults(tmp_path / "field.gpkg")
    assert found == "area: is a .gpkg file, which needs geopandas. Install geopandas, or save it as GeoJSON"
