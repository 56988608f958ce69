"""A GeoPackage of an author's areas: made, checked and uploaded before anything is created."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow_runner import StateStore, run
from support import box
from whole_life import Task, accepted, operator

from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.client.geopackage import read_features
from airflow_provider_sentinelhub.hooks.geopackage import upload_geopackage

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_driver import Sandbox

GRIDLESS: dict[str, Any] = {"area": None, "tiling_grid_id": None, "resolution": None}


def fields(*names: str) -> dict[str, Any]:
    """Return a FeatureCollection of small fields, some 100 m each, one beside the other."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"field_id": name},
                "geometry": box(-119.24 + 0.002 * at, 36.05, -119.239 + 0.002 * at, 36.051),
            }
            for at, name in enumerate(names)
        ],
    }


def described(**changes: Any) -> dict[str, Any]:
    return {
        "geopackage": {
            "features": fields("north", "south"),
            "resolution": 10,
            "identifier": "field_id",
            **changes,
        },
        **GRIDLESS,
    }


def packages(sandbox: Sandbox) -> list[str]:
    return [key for key in sandbox.keys("") if "/geopackages/" in key or key.startswith("geopackages/")]


def clear(sandbox: Sandbox) -> None:
    for key in packages(sandbox):
        sandbox.s3_client().delete_object(Bucket=sandbox.bucket, Key=key)


def test_its_features_are_delivered_and_a_retry_finds_the_request(sandbox: Sandbox) -> None:
    clear(sandbox)
    sandbox.steer(analysis={"seconds": 0.2}, processing={"seconds": 0.2})
    task = Task(StateStore())
    first = task.attempt(**described())
    assert first["tiles"] == 2
    names = {
        key.split("/")[2] for key in sandbox.keys(f"whole/{first['request_id']}/") if key.endswith(".tif")
    }
    assert names == {"north", "south"}
    assert len(packages(sandbox)) == 1
    assert packages(sandbox)[0].startswith("whole/geopackages/features-")
    task.store = StateStore()
    assert task.attempt(**described()) == first
    assert (accepted(sandbox, "creates"), accepted(sandbox, "starts")) == (1, 1)
    assert len(packages(sandbox)) == 1


def test_it_is_rendered_and_may_be_text_a_path_or_a_url(sandbox: Sandbox, tmp_path: Path) -> None:
    collection = fields("a", "b", "c")
    content = json.dumps(collection)
    (tmp_path / "fields.geojson").write_text(content)
    sandbox.s3_client().put_object(Bucket=sandbox.bucket, Key="in/fields.geojson", Body=content.encode())
    urls = set()
    for features in (
        collection,
        "{{ params.text }}",
        str(tmp_path / "fields.geojson"),
        "s3://{{ params.bucket }}/in/fields.geojson",
    ):
        task = operator(
            **described(features=features, resolution="{{ 20 }}"), dry_run=True, area_conn_id="aws_default"
        )
        task.render_template_fields({"params": {"text": content, "bucket": sandbox.bucket}})
        found, _ = run(task)
        assert found["features"]["names"] == ["a", "b", "c"]
        assert found["features"]["crs"] == {"EPSG:32611": 3}
        assert found["pixels"] == found["features"]["pixels"] > 0
        urls.add(found["payload"]["input"]["features"]["s3"]["url"])
    assert len(urls) == 1


def test_a_dry_run_uploads_nothing(sandbox: Sandbox) -> None:
    clear(sandbox)
    run(operator(**described(), dry_run=True))
    assert packages(sandbox) == []


def test_the_tiles_of_a_grid_can_be_its_features(sandbox: Sandbox) -> None:
    found, _ = run(operator(**described(grid_id=1, resolution=25), dry_run=True))
    assert found["features"]["count"] == 1
    assert found["pixels"] == 400 * 400


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"resolution": None}, "- geopackage.resolution: is missing. Give the size of a pixel"),
        ({"resolution": "fine"}, "- geopackage.resolution: 'fine' is not above 0"),
        (
            {"features": fields("north"), "resolution": 0.01},
            r"- geopackage, feature 1 \(north\), resolution: makes it \d+ x \d+ pixels",
        ),
        ({"identifier": "name"}, "- geopackage.identifier: features 1, 2 have no property 'name'"),
        ({"crs": "EPSG:1234"}, "- geopackage.crs: the service does not take EPSG:1234"),
        ({"grid_id": 42}, "- geopackage.grid_id: no grid 42 is published"),
        ({"invalid": "x"}, "- geopackage.invalid: 'x' is not known"),
        ({"source_crs": "here"}, "- geopackage.source_crs: its CRS cannot be used"),
        (
            {"features": fields("twin", "twin")},
            r"feature 2 \(twin\), identifier: is that of an earlier feature",
        ),
        ({"features": "nowhere.geojson"}, "- geopackage.features: there is no file 'nowhere.geojson'"),
        ({"features": {"type": "Point", "coordinates": [0, 0]}}, "- geopackage.features: has a Point in it"),
        ({"features": None}, "- geopackage.features: is missing. Give polygons"),
        ({"width": 100}, "- geopackage.width: is not known here"),
    ],
)
def test_faults_are_named_before_anything_is_created(
    sandbox: Sandbox, changes: dict[str, Any], told: str
) -> None:
    clear(sandbox)
    with pytest.raises(AirflowFailException, match=told) as raised:
        run(operator(**described(**changes)))
    assert "one fault:" in str(raised.value)
    assert accepted(sandbox, "creates") == 0
    assert packages(sandbox) == []


def test_it_needs_a_connection_that_uploads(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    role = {
        "delivery_aws_conn_id": None,
        "iam_role_arn": "arn:aws:iam::000000000000:role/sentinelhub-sandbox",
    }
    with pytest.raises(AirflowFailException, match=r"features: cannot be uploaded without a connection"):
        run(operator(**described(), **role, dry_run=True))
    run(operator(**described(upload_conn_id="aws_default"), **role, dry_run=True))
    wrong = {**json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"]), "password": "planted-wrong-key"}
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(wrong))
    with pytest.raises(AirflowFailException, match=r"cannot be uploaded to s3://sandbox") as raised:
        run(operator(**described(upload_conn_id="wrong")))
    assert "planted" not in str(raised.value)
    assert accepted(sandbox, "creates") == 0


def test_the_hook_uploads_what_is_new_and_replaces_what_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    folder = f"s3://{sandbox.bucket}/by-hand"
    said: dict[str, Any] = {"resolution": 10, "identifier": "field_id"}
    first = upload_geopackage(fields("a"), folder, **said)
    again = upload_geopackage(fields("a"), folder, **said)
    other = upload_geopackage(fields("a", "b"), folder, **said)
    assert first == again != other
    named = upload_geopackage(fields("a"), f"{folder}/fields.gpkg", **said)
    upload_geopackage(fields("a", "b"), f"{folder}/fields.gpkg", **said)
    path = tmp_path / "fields.gpkg"
    path.write_bytes(sandbox.read(named.removeprefix(f"s3://{sandbox.bucket}/")))
    assert [feature.identifier for feature in read_features(path)] == ["a", "b"]
    with pytest.raises(DefinitionError, match=r"geopackage\.identifier"):
        upload_geopackage(fields("a"), folder, resolution=10)


def test_a_geopackage_that_is_there_is_looked_at(sandbox: Sandbox) -> None:
    url = upload_geopackage(
        fields("a", "b"), f"s3://{sandbox.bucket}/g", resolution=10, identifier="field_id"
    )
    found, _ = run(operator(geopackage=url, **GRIDLESS, dry_run=True))
    assert found["features"]["names"] == ["a", "b"]
    only_b = box(-119.2379, 36.0502, -119.2375, 36.0505)
    found, _ = run(operator(geopackage=url, **{**GRIDLESS, "area": only_b}, dry_run=True))
    assert found["features"]["names"] == ["b"]
    with pytest.raises(
        AirflowFailException, match=r"geopackage.url: there is no object 'none.gpkg' in bucket"
    ):
        run(operator(geopackage=f"s3://{sandbox.bucket}/none.gpkg", **GRIDLESS))
    assert accepted(sandbox, "creates") == 0
