"""The Catalog against the sandbox: searches, and whether what they find is what is waited for."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import shapely
from pyproj import Geod
from shapely.geometry import shape
from support import ONE_TILE, box, client_for, secrets_of

from airflow_provider_sentinelhub.client import errors
from airflow_provider_sentinelhub.client.batch import BatchClient
from airflow_provider_sentinelhub.client.catalog import CatalogClient, Found, SceneQuery, WantedScenes
from airflow_provider_sentinelhub.client.deployments import Credentials, deployment

if TYPE_CHECKING:
    from sandbox_driver import Sandbox

JULY = ("2020-07-01", "2020-07-31")
# Reaches out of the swath of some passes.
WIDE = box(-121.5, 36.0, -118.5, 36.6)


@pytest.fixture
def client(sandbox: Sandbox) -> CatalogClient:
    return CatalogClient(client_for(sandbox).session)


def query(**changes: Any) -> SceneQuery:
    return SceneQuery(**{"area": ONE_TILE, "time_range": JULY, **changes})


def wanted(*, min_scenes: int = 1, min_coverage: Any = None, max_age: Any = None, **of: Any) -> WantedScenes:
    return WantedScenes(query=query(**of), min_scenes=min_scenes, min_coverage=min_coverage, max_age=max_age)


def searches(sandbox: Sandbox) -> list[int]:
    return [call["status"] for call in sandbox.journal()["calls"] if "catalog" in call["path"]]


def asked_for(sandbox: Sandbox, **body: Any) -> list[dict[str, Any]]:
    answer = sandbox.call("POST", "/catalog/v1/search", json={"limit": 100, **body})
    assert answer.status_code == 200, answer.text
    features: list[dict[str, Any]] = answer.json()["features"]
    return features


def test_scenes_are_what_the_catalog_lists(sandbox: Sandbox, client: CatalogClient) -> None:
    scenes = list(client.search(query()))
    listed = asked_for(
        sandbox,
        collections=["sentinel-2-l2a"],
        datetime="2020-07-01T00:00:00Z/2020-07-31T23:59:59Z",
        intersects=ONE_TILE,
    )
    assert [scene.id for scene in scenes] == [item["id"] for item in listed]
    for scene, item in zip(scenes, listed, strict=True):
        assert scene.datetime == datetime.fromisoformat(item["properties"]["datetime"][:-1] + "+00:00")
        assert scene.cloud_cover == item["properties"]["eo:cloud_cover"]
        assert shape(dict(scene.geometry)).equals(shape(item["geometry"]))
        # No more is fetched than is needed.
        assert set(scene.properties) == {"datetime", "eo:cloud_cover"}


def test_all_pages_are_read_as_they_are_needed(sandbox: Sandbox, client: CatalogClient) -> None:
    year = query(area=WIDE, time_range=("2020-01-01", "2020-06-30"))
    ids = [scene.id for scene in client.search(year)]
    assert len(ids) == len(set(ids)) > 200
    assert len(searches(sandbox)) == -(-len(ids) // 100)
    sandbox.clear_journal()
    assert next(iter(client.search(year))).id == ids[0]
    assert len(searches(sandbox)) == 1


def test_filters_and_further_properties(client: CatalogClient) -> None:
    scenes = list(client.search(query(properties=["platform"], collection="S2 L1C")))
    covers = sorted(scene.cloud_cover for scene in scenes if scene.cloud_cover is not None)
    assert len(covers) == len(scenes) > 3
    assert {scene.properties["platform"] for scene in scenes} == {"sentinel-2a", "sentinel-2b"}
    assert all("MSIL1C" in scene.id for scene in scenes)
    # The limit itself is let through, as by a batch request.
    few = list(client.search(query(collection="sentinel-2-l1c", max_cloud_coverage=covers[2])))
    assert sorted(scene.cloud_cover or 0 for scene in few) == [
        cover for cover in covers if cover <= covers[2]
    ]


@pytest.mark.parametrize("scheme", ["new", "old"])
def test_both_path_schemes(sandbox: Sandbox, scheme: str) -> None:
    where = deployment("custom", base_url=sandbox.base_url, token_url=sandbox.token_url, path_scheme=scheme)
    batch = BatchClient(where, Credentials(sandbox.client_id, sandbox.client_secret))
    assert list(CatalogClient(batch.session).search(query()))


# --- what is waited for ---


def test_what_is_found(client: CatalogClient) -> None:
    scenes = list(client.search(query()))
    found, lacks = wanted().look(client)
    assert lacks == ""
    assert found == Found(
        count=len(scenes),
        newest=max(scene.datetime for scene in scenes).isoformat(),
        coverage=100.0,
        dates=sorted({f"{scene.datetime:%Y-%m-%d}" for scene in scenes}),
        ids=[scene.id for scene in sorted(scenes, key=lambda one: (one.datetime, one.id))][::-1],
    )
    assert json.loads(json.dumps(found.to_record())) == found.to_record()


def test_the_coverage_is_that_of_the_union(client: CatalogClient) -> None:
    of = query(area=WIDE, time_range=("2020-07-01", "2020-07-03"))
    union = shapely.union_all([shape(dict(scene.geometry)) for scene in client.search(of)])
    ellipsoid = Geod(ellps="WGS84")

    def square_metres(geometry: Any) -> float:
        # Edges straight in lon/lat: so dense that geodesics between the vertices are as good.
        return abs(ellipsoid.geometry_area_perimeter(shapely.segmentize(geometry, 0.01))[0])

    there = square_metres(union.intersection(shape(WIDE)))
    expected = 100 * there / square_metres(shape(WIDE))
    assert 5 < expected < 95
    span: dict[str, Any] = {"area": WIDE, "time_range": ("2020-07-01", "2020-07-03")}
    found, lacks = wanted(min_coverage=expected - 0.1, **span).look(client)
    assert found.coverage == pytest.approx(expected, abs=0.01)
    assert lacks == ""
    _, lacks = wanted(min_coverage=expected + 0.1, **span).look(client)
    assert lacks == f"{found.coverage:g} of {expected + 0.1:g} % covered"


def test_nothing_there_is_nothing_found(client: CatalogClient) -> None:
    found, lacks = wanted(time_range=("1999-01-01", "1999-12-31")).look(client)
    assert found == Found(0, None, 0.0, [], [])
    assert lacks == "0 of 1 scenes"
    # An area where no pass of these days goes.
    assert wanted(time_range=("2020-07-01", "2020-07-01")).look(client)[1] == "0 of 1 scenes"


def test_the_number_and_the_age(client: CatalogClient) -> None:
    found, lacks = wanted(min_scenes=10**3).look(client)
    assert lacks == f"{found.count} of 1000 scenes"
    old = datetime.now(timezone.utc) - datetime.fromisoformat(found.newest or "")
    assert wanted(max_age=old + timedelta(minutes=1)).look(client)[1] == ""
    assert wanted(max_age=str(old.total_seconds() + 60)).look(client)[1] == ""
    assert wanted(max_age=timedelta(days=2)).look(client)[1] == "the newest is older than 2 days, 0:00:00"


def test_scenes_arrive_when_they_are_taken(client: CatalogClient) -> None:
    now = datetime.now(timezone.utc)
    past, whole = (
        wanted(time_range=(now - timedelta(30), now + days)) for days in (timedelta(), timedelta(30))
    )
    assert whole.look(client)[0] == past.look(client)[0]


@pytest.mark.parametrize(
    ("area", "crs"),
    [
        (ONE_TILE, None),
        ((-119.3, 36.0, -119.2, 36.1), None),
        ((250_000.0, 3_990_000.0, 260_000.0, 4_000_000.0), "EPSG:32611"),
        ((179.5, -17.5, -179.5, -16.5), None),
    ],
)
def test_what_is_waited_for_crosses_into_a_trigger(client: CatalogClient, area: Any, crs: Any) -> None:
    before = wanted(area=area, area_crs=crs, max_cloud_coverage=60, min_scenes=2, max_age=timedelta(days=9e4))
    after = WantedScenes.from_record(json.loads(json.dumps(before.to_record())))
    assert after.query.to_wire() == before.query.to_wire()
    assert after.to_record() == before.to_record()
    found = before.look(client)
    assert after.look(client) == found
    assert found[0].coverage == 100.0
    assert found[1] == ""


# --- what goes wrong ---


def test_everything_wrong_is_named_at_once(sandbox: Sandbox, client: CatalogClient) -> None:
    wrong = wanted(
        area="POINT (1 2)",
        time_range="yesterday",
        collection="sentinel-1-grd",
        max_cloud_coverage=20,
        min_scenes=0,
        min_coverage=101,
        max_age=timedelta(0),
    )
    with pytest.raises(errors.DefinitionError, match="The search cannot work, 6 faults") as raised:
        wrong.look(client)
    assert [fault.field for fault in raised.value.faults] == [
        *("area", "time_range", "max_cloud_coverage", "min_scenes", "min_coverage", "max_age")
    ]
    with pytest.raises(errors.DefinitionError, match="area: is missing"):
        client.search(query(area=None))
    assert searches(sandbox) == []


def test_passing_faults_are_waited_out(sandbox: Sandbox, client: CatalogClient) -> None:
    exact = list(client.search(query()))
    sandbox.clear_journal()
    where = {"path": "/v1/catalog/search"}
    sandbox.fault("rate_limit", retry_after_ms=50, **where)
    sandbox.fault("server_error", status=502, body="html", **where)
    sandbox.fault("drop", when="after", **where)
    sandbox.fault("garbage", **where)
    sandbox.expire_tokens()
    assert list(client.search(query())) == exact
    assert sorted(searches(sandbox)) == [0, 200, 200, 401, 429, 502]


@pytest.mark.parametrize(
    ("kind", "rule", "error"),
    [
        ("rate_limit", {"times": None, "retry_after_ms": 10}, errors.RateLimitedError),
        ("server_error", {"times": None}, errors.ServerError),
        ("drop", {"times": None}, errors.LostReplyError),
        ("garbage", {"times": None}, errors.GarbledReplyError),
    ],
)
def test_lasting_faults_have_names(
    sandbox: Sandbox, client: CatalogClient, kind: str, rule: dict[str, Any], error: type[Exception]
) -> None:
    sandbox.fault(kind, path="/v1/catalog/search", **rule)
    with pytest.raises(error, match=r"^Searching the Catalog: ") as raised:
        list(client.search(query()))
    assert not [secret for secret in secrets_of(sandbox) if secret in str(raised.value)]


def test_refusals_have_names(sandbox: Sandbox, client: CatalogClient) -> None:
    with pytest.raises(errors.NotFoundError, match="Collection not found"):
        list(client.search(query(collection="landsat-ot-l1")))
    sandbox.steer(balance_pu=0)
    with pytest.raises(errors.PermissionDeniedError):
        list(client.search(query()))
