"""The Catalog: which scenes there are, and that they are those that are rendered."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
import requests
import shapely
from pyproj import Transformer
from sandbox.batch_calls import vendor_config
from sandbox.test_render import data, job, orbit
from sandbox_driver import Sandbox
from shapely.geometry import shape

from airflow_provider_sentinelhub.sandbox import pricing
from airflow_provider_sentinelhub.sandbox.catalog.fields import Fields
from airflow_provider_sentinelhub.sandbox.catalog.query import Query
from airflow_provider_sentinelhub.sandbox.catalog.search import SearchTooLargeError, find
from airflow_provider_sentinelhub.sandbox.render import render
from airflow_provider_sentinelhub.sandbox.scenes import Lattice, acquired, footprint, search

JULY = "2020-07-01T00:00:00Z/2020-07-30T23:59:59Z"
PLACE = [-119.3, 35.96, -119.29, 35.97]  # two granules of two zones, and an orbit


def query(**changes: Any) -> dict[str, Any]:
    return {"collections": ["sentinel-2-l2a"], "datetime": JULY, "bbox": PLACE, "limit": 100, **changes}


def ask(sandbox: Sandbox, body: Any, path: str = "/catalog/v1/search") -> dict[str, Any]:
    answer = sandbox.call("POST", path, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    result: dict[str, Any] = answer.json()
    return result


def refusal(answer: requests.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"code", "description"}
    assert body["code"] == status
    return str(body["description"])


def test_every_scene_of_a_tile_is_in_the_catalog() -> None:
    """What an evalscript is told of its scenes is what the Catalog tells of them."""
    bounds = (312_000.0, 3_962_000.0, 318_000.0, 3_968_000.0)
    source = (
        orbit("return [s.length];")
        + """
      function updateOutputMetadata(scenes, _, out) {
        out.userData = scenes.orbits.flatMap(orbit => orbit.tiles);
      }"""
    )
    tile = render(
        job(
            source,
            bounds=bounds,
            width=50,
            height=50,
            data=data("sentinel-2-l2a"),
            responses=[("userdata", "application/json")],
        )
    )
    told = {
        (one["dataPath"], one["date"], one["cloudCoverage"]) for one in json.loads(tile.files["userdata"])
    }
    west, south, east, north = Transformer.from_crs(32611, 4326, always_xy=True).transform_bounds(*bounds)
    page = find(Query.read(query(bbox=[west, south, east, north])))
    found = {
        (
            one["assets"]["data"]["href"].rstrip("/"),
            one["properties"]["datetime"],
            one["properties"]["eo:cloud_cover"],
        )
        for one in page.items
    }
    assert len(found) >= 5
    assert found == told


@pytest.mark.parametrize(
    ("epsg", "bounds"),
    [
        (32632, (712_000, 5_012_000, 788_000, 5_088_000)),  # the edge of a swath
        (4326, (179.0, 60.1, 179.9, 60.9)),
        (32601, (399_000, 6_650_000, 401_000, 6_652_000)),
        (32733, (500_000, 9_999_000, 502_000, 10_001_000)),  # the equator
        (4326, (10.1, 80.1, 11.9, 80.9)),
    ],
)
def test_scenes_agree_all_over_the_world(epsg: int, bounds: Any) -> None:
    start, end = datetime(2020, 7, 1, tzinfo=timezone.utc), datetime(2020, 7, 10, tzinfo=timezone.utc)
    resolution = (bounds[2] - bounds[0]) / 500
    rendered = search(Lattice(epsg, bounds, resolution), "sentinel-2-l1c", start, end)
    transformer = Transformer.from_crs(epsg, 4326, always_xy=True)
    outline = shapely.segmentize(shapely.box(*bounds), (bounds[2] - bounds[0]) / 20)
    area = shapely.transform(
        outline, lambda p: shapely.get_coordinates(shapely.points(*transformer.transform(p[:, 0], p[:, 1])))
    )
    assert {one.path for one in acquired(area, "sentinel-2-l1c", start, end)} == {
        one.path for one in rendered
    }


def test_near_the_edge_of_a_zone_granules_of_the_next_count_whatever_else_is_searched() -> None:
    start, end = datetime(2020, 7, 1, tzinfo=timezone.utc), datetime(2020, 7, 10, tzinfo=timezone.utc)
    rendered = search(
        Lattice(32631, (725_000, 4_990_000, 735_000, 5_000_000), 20), "sentinel-2-l1c", start, end
    )
    assert {one.granule.epsg for one in rendered} == {32631, 32632}
    place = shapely.Point(Transformer.from_crs(32631, 4326, always_xy=True).transform(730_000, 4_995_000))
    for width in (0.01, 1.0):
        listed = acquired(place.buffer(width), "sentinel-2-l1c", start, end)
        assert {one.path for one in rendered} <= {one.path for one in listed}


def test_footprints_lie_across_180_degrees_in_two_parts() -> None:
    start, end = datetime(2020, 7, 1, tzinfo=timezone.utc), datetime(2020, 7, 10, tzinfo=timezone.utc)
    products = acquired(shapely.box(179.5, 60, 180, 60.5), "sentinel-2-l1c", start, end)
    outlines = [footprint(product).lonlat for product in products]
    assert any(outline.geom_type == "MultiPolygon" for outline in outlines)
    assert all(outline.bounds[2] <= 180 and outline.area < 5 for outline in outlines)


def test_an_item(sandbox: Sandbox) -> None:
    feature = ask(sandbox, query(limit=1))["features"][0]
    assert feature["id"].startswith("S2A_MSIL2A_20200730T")
    assert feature["collection"] == "sentinel-2-l2a"
    assert (feature["type"], feature["stac_version"]) == ("Feature", "1.0.0")
    properties = feature["properties"]
    assert properties["platform"] == "sentinel-2a"
    assert 0 <= properties["eo:cloud_cover"] <= 100
    assert properties["proj:epsg"] == 32611
    west, south, east, north = properties["proj:bbox"]
    assert (east - west, north - south) == (109_800, 109_800)
    assert shape(feature["geometry"]).intersects(shapely.box(PLACE[0], PLACE[1], PLACE[2], PLACE[3]))
    assert list(shape(feature["geometry"]).bounds) == pytest.approx(feature["bbox"])
    token = sandbox.token()
    [link] = [link["href"] for link in feature["links"] if link["rel"] == "self"]
    again = requests.get(link, headers={"Authorization": f"Bearer {token}"}, timeout=30).json()
    assert again == feature
    unknown = sandbox.call("GET", "/catalog/v1/collections/sentinel-2-l2a/items/unknown")
    assert refusal(unknown, 404) == "Item not found."


def test_pages(sandbox: Sandbox) -> None:
    everything = ask(sandbox, query())
    assert everything["context"] == {"limit": 100, "returned": len(everything["features"])}
    assert [link["rel"] for link in everything["links"]] == ["self"]
    moments = [one["properties"]["datetime"] for one in everything["features"]]
    assert moments == sorted(moments, reverse=True)
    pages: list[Any] = []
    following: Any = 0
    while following is not None:
        page = ask(sandbox, query(limit=4, next=following), "/api/v1/catalog/1.0.0/search")
        assert page["context"]["limit"] == 4
        pages += page["features"]
        following = page["context"].get("next")
        if following is not None:
            assert page["links"][1]["body"] == {"next": following}
    assert pages == everything["features"]
    assert len(pages) > 4
    default = query()
    del default["limit"]
    assert ask(sandbox, default)["context"]["limit"] == 10


def test_a_search_by_url(sandbox: Sandbox) -> None:
    parameters = {
        "collections": "sentinel-2-l2a,sentinel-2-l1c",
        "datetime": JULY,
        "bbox": ",".join(map(str, PLACE)),
        "limit": "3",
        "filter": "eo:cloud_cover<=95",
        "fields": "id,type,-geometry,bbox,properties,-links,-assets",
    }
    first = sandbox.call("GET", "/catalog/v1/search", params=parameters).json()
    assert set(first["features"][0]) == {"id", "type", "bbox", "properties"}
    [following] = [link["href"] for link in first["links"] if link["rel"] == "next"]
    headers = {"Authorization": f"Bearer {sandbox.token()}"}
    second = requests.get(following, headers=headers, timeout=30).json()
    ids = [one["id"] for page in (first, second) for one in page["features"]]
    assert len(set(ids)) == 6
    assert {one[7:10] for one in ids} == {"L2A", "L1C"}
    by_geometry = {
        **parameters,
        "intersects": json.dumps({"type": "Point", "coordinates": PLACE[:2]}),
    }
    del by_geometry["bbox"]
    assert sandbox.call("GET", "/catalog/v1/search", params=by_geometry).json()["features"]


@pytest.mark.parametrize(
    "filtered",
    [
        {"filter": "eo:cloud_cover < 60 AND eo:cloud_cover >= 5"},
        {"filter": "eo:cloud_cover < 60 and 5 <= eo:cloud_cover", "filter-lang": "cql2-text"},
        {
            "filter": {
                "op": "and",
                "args": [
                    {"op": "<", "args": [{"property": "eo:cloud_cover"}, 60]},
                    {"op": ">=", "args": [{"property": "eo:cloud_cover"}, 5]},
                ],
            },
            "filter-lang": "cql2-json",
        },
        {"filter": "eo:cloud_cover between 5 and 59.9999"},
    ],
)
def test_filters(sandbox: Sandbox, filtered: dict[str, Any]) -> None:
    everything = ask(sandbox, query())["features"]
    wanted = [one["id"] for one in everything if 5 <= one["properties"]["eo:cloud_cover"] < 60]
    assert 0 < len(wanted) < len(everything)
    assert [one["id"] for one in ask(sandbox, query(**filtered))["features"]] == wanted


def test_ids_and_dates(sandbox: Sandbox) -> None:
    everything = ask(sandbox, query())["features"]
    ids = [one["id"] for one in everything]
    some = ask(sandbox, query(ids=[ids[3], ids[0], "unknown"]))["features"]
    assert [one["id"] for one in some] == [ids[0], ids[3]]
    assert ask(sandbox, query(ids=["unknown"]))["features"] == []
    days = ask(sandbox, query(distinct="date"))
    assert days["features"] == sorted(
        {one["properties"]["datetime"][:10] for one in everything}, reverse=True
    )
    assert days["context"]["returned"] == len(days["features"])
    moment = everything[2]["properties"]["datetime"]
    exact = ask(sandbox, query(datetime=moment))["features"]
    assert {one["properties"]["datetime"] for one in exact} == {moment}
    open_end = ask(sandbox, query(datetime=f"../{moment}", limit=1))["features"]
    assert open_end[0]["properties"]["datetime"] == moment


def test_a_box_across_180_degrees(sandbox: Sandbox) -> None:
    span = "2020-07-01T00:00:00Z/2020-07-05T00:00:00Z"
    found = ask(sandbox, query(bbox=[179.5, 60, -179.5, 60.5], datetime=span))["features"]
    assert {one["properties"]["proj:epsg"] for one in found} == {32601, 32660}


@pytest.mark.parametrize(
    ("fields", "attributes", "properties"),
    [
        (Fields(), {"id", "type", "geometry", "collection", "properties"}, {"datetime", "gsd"}),
        (Fields(given=True), {"id", "type", "geometry", "properties"}, {"datetime"}),
        (
            Fields(given=True, include=("properties.gsd", "collection")),
            {"id", "type", "geometry", "collection", "properties"},
            {"datetime", "gsd"},
        ),
        (Fields(given=True, exclude=("geometry", "properties.datetime")), {"id", "type"}, set()),
        (Fields(given=True, exclude=("properties",)), {"id", "type", "geometry"}, set()),
        (
            Fields(given=True, include=("id", "properties"), exclude=("properties.gsd",)),
            {"id", "properties"},
            {"datetime"},
        ),
    ],
)
def test_fields(fields: Fields, attributes: set[str], properties: set[str]) -> None:
    item = {
        "id": "a",
        "type": "Feature",
        "geometry": {},
        "collection": "c",
        "properties": {"datetime": "now", "gsd": 10},
    }
    chosen = fields.chosen(item)
    assert set(chosen) == attributes
    assert set(chosen.get("properties", {})) == properties


COMPARED = {"op": "=", "args": [{"property": "eo:cloud_cover"}, "much"]}


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        ({"collections": []}, 400, "collections must be given"),
        ({"collections": "sentinel-2-l2a"}, 400, "collections must be a list"),
        ({"collections": ["sentinel-1-grd"]}, 404, "Collection not found."),
        ({"datetime": None}, 400, "datetime must be"),
        ({"datetime": "../.."}, 400, "datetime must be"),
        ({"datetime": "2020-07-01"}, 400, "datetime must be"),
        ({"datetime": "2020-13-01T00:00:00Z"}, 400, "datetime must be"),
        ({"datetime": "2021-07-01T00:00:00Z/2020-07-01T00:00:00Z"}, 400, "ends before it starts"),
        ({"bbox": [1, 2, 3]}, 400, "bbox must be"),
        ({"bbox": [0, 0, 181, 1]}, 400, "bbox must be"),
        ({"intersects": {"type": "Point", "coordinates": [1, 1]}}, 400, "Only one of bbox and intersects"),
        ({"bbox": None, "intersects": {"type": "Polygon"}}, 400, "intersects must be"),
        ({"bbox": None, "intersects": {"type": "Point", "coordinates": [400, 1]}}, 400, "intersects must be"),
        ({"limit": 0}, 400, "limit must be"),
        ({"limit": 101}, 400, "limit must be"),
        ({"next": -1}, 400, "next must be"),
        ({"distinct": "gsd"}, 400, "distinct must be one of date"),
        ({"fields": []}, 400, "fields must be an object"),
        ({"filter": "eo:cloud_cover <"}, 400, "not valid CQL2"),
        ({"filter": "eo:cloud_cover < 5 or eo:cloud_cover > 9"}, 400, "operator 'or' is not supported"),
        ({"filter": "gsd = 10"}, 400, "'gsd' is no queryable property"),
        ({"filter": "3 = 4"}, 400, "must compare a property with a number"),
        ({"filter": COMPARED}, 400, "compared with numbers"),
        ({"filter": COMPARED, "filter-lang": "cql2-text"}, 400, "filter is not cql2-text"),
        ({"filter": "eo:cloud_cover < 5", "filter-lang": "sql"}, 400, "filter-lang must be"),
    ],
)
def test_bad_searches(sandbox: Sandbox, changes: dict[str, Any], status: int, text: str) -> None:
    answer = sandbox.call("POST", "/catalog/v1/search", json=query(**changes))
    assert text in refusal(answer, status)


def test_a_search_is_not_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_sentinelhub.sandbox.catalog.search._MOST_EXAMINED", 3)
    with pytest.raises(SearchTooLargeError):
        find(Query.read(query(filter="eo:cloud_cover < 0")))


def test_landing_page_and_collections(sandbox: Sandbox) -> None:
    # No token is needed for these two.
    landing = requests.get(f"{sandbox.base_url}/catalog/v1/", timeout=30).json()
    assert (landing["type"], landing["stac_version"]) == ("Catalog", "1.0.0")
    conformance = requests.get(f"{sandbox.base_url}/api/v1/catalog/1.0.0/conformance", timeout=30).json()
    assert conformance == {"conformsTo": landing["conformsTo"]}
    headers = {"Authorization": f"Bearer {sandbox.token()}"}
    for link in landing["links"]:
        if link["rel"] in ("child", "data", "self", "conformance"):
            assert requests.get(link["href"], headers=headers, timeout=30).status_code == 200, link
    collections = sandbox.call("GET", "/catalog/v1/collections").json()["collections"]
    assert [one["id"] for one in collections] == ["sentinel-2-l1c", "sentinel-2-l2a"]
    assert sandbox.call("GET", "/catalog/v1/collections/sentinel-2-l1c").json() == collections[0]
    queryables = sandbox.call("GET", "/catalog/v1/collections/sentinel-2-l1c/queryables").json()
    assert list(queryables["properties"]) == ["eo:cloud_cover"]
    missing = sandbox.call("GET", "/catalog/v1/collections/sentinel-1-grd")
    assert refusal(missing, 404) == "Collection not found."


def test_errors_have_the_catalogs_form(sandbox: Sandbox) -> None:
    assert "not authorized" in refusal(
        sandbox.call("POST", "/catalog/v1/search", token="nonsense", json={}), 401
    )
    assert refusal(sandbox.call("POST", "/catalog/v1/search", data="{}"), 415)
    assert refusal(sandbox.call("DELETE", "/catalog/v1/search"), 405)
    sandbox.fault("server_error", path="/v1/catalog/*", status=503)
    assert refusal(sandbox.call("POST", "/catalog/v1/search", json=query()), 503)
    sandbox.fault("rate_limit", path="/v1/catalog/search")
    assert sandbox.call("POST", "/catalog/v1/search", json=query()).status_code == 429
    sandbox.steer(balance_pu=0)
    assert "Insufficient" in refusal(sandbox.call("POST", "/catalog/v1/search", json=query()), 403)


def test_what_a_search_costs(sandbox: Sandbox) -> None:
    answer = sandbox.call("POST", "/catalog/v1/search", json=query())
    assert answer.headers["x-processingunits-spent"] == "0.010000"
    assert pricing.catalog_units(500_000, 45) == 1
    assert pricing.catalog_units(500_000, 10) == 0.5
    assert pricing.catalog_units(5e8, 400) == 1
    assert Query.read(query(bbox=[0, 0, 1, 1])).square_kilometres == pytest.approx(12_364, rel=0.001)


# -- the vendor's own client


@pytest.fixture
def catalog(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setitem(os.environ, "OAUTHLIB_INSECURE_TRANSPORT", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentinelhub.api.catalog import SentinelHubCatalog

        yield SentinelHubCatalog(config=vendor_config(sandbox))


def test_the_vendors_client(catalog: Any) -> None:
    from sentinelhub.constants import CRS
    from sentinelhub.data_collections import DataCollection
    from sentinelhub.geometry import BBox, Geometry

    s2 = DataCollection.SENTINEL2_L2A
    box = BBox((PLACE[0], PLACE[1], PLACE[2], PLACE[3]), crs=CRS.WGS84)
    period = ("2020-07-01", "2020-07-30")
    assert catalog.get_info()["stac_version"] == "1.0.0"
    assert catalog.get_conformance()["conformsTo"]
    assert len(catalog.get_collections()) == 2
    assert catalog.get_collection(s2)["id"] == "sentinel-2-l2a"
    items = list(catalog.search(s2, time=period, bbox=box, limit=3))  # several pages
    assert len(items) > 3
    assert len({item["id"] for item in items}) == len(items)
    assert catalog.get_feature(s2, items[0]["id"]) == items[0]
    around = Geometry(box.geometry, crs=CRS.WGS84)
    clear = catalog.search(
        s2,
        time=period,
        geometry=around,
        filter="eo:cloud_cover < 60",
        fields={"include": ["id", "properties.datetime", "properties.eo:cloud_cover"], "exclude": []},
    )
    wanted = [item["id"] for item in items if item["properties"]["eo:cloud_cover"] < 60]
    assert clear.get_ids() == wanted
    structured = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 60]}
    again = catalog.search(s2, time=period, bbox=box, filter=structured, filter_lang="cql2-json")
    assert again.get_ids() == wanted
    days = list(catalog.search(s2, time=period, bbox=box, distinct="date", limit=2))
    assert days == sorted({item["properties"]["datetime"][:10] for item in items}, reverse=True)
    assert len(catalog.search(s2, time=period, bbox=box).get_timestamps()) == len(items)
    assert catalog.search(s2, time=period, bbox=box).get_geometries()[0].geometry.intersects(box.geometry)


def test_the_vendors_helper_for_timestamps(catalog: Any) -> None:
    from sentinelhub.api.catalog import get_available_timestamps
    from sentinelhub.constants import CRS
    from sentinelhub.data_collections import DataCollection
    from sentinelhub.geometry import BBox

    url = catalog.config.sh_base_url
    # Named after what tells it from others: the library keeps definitions as long as the process lives.
    collection = DataCollection.SENTINEL2_L2A.define_from(url, service_url=url)
    box = BBox((PLACE[0], PLACE[1], PLACE[2], PLACE[3]), crs=CRS.WGS84)
    found, clear = (
        get_available_timestamps(
            box, ("2020-07-01", "2020-07-30"), collection, maxcc=cover, config=catalog.config
        )
        for cover in (None, 0.6)
    )
    assert 0 < len(clear) < len(found)
