"""Areas, definitions and evalscripts on object storages, and what may be done with the bucket."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow_runner import run
from support import NDVI, ONE_TILE
from whole_life import accepted, operator

from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.hooks import opening
from airflow_provider_sentinelhub.hooks.opening import ObjectOpener
from airflow_provider_sentinelhub.hooks.rights import write_faults
from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_driver import Sandbox


def put(sandbox: Sandbox, key: str, content: str) -> str:
    sandbox.s3_client().put_object(Bucket=sandbox.bucket, Key=key, Body=content.encode())
    return f"s3://{sandbox.bucket}/{key}"


def payload(**changes: Any) -> dict[str, Any]:
    task = operator(dry_run=True, **changes)
    task.render_template_fields({"params": {"conn": "aws_default"}})
    wire: dict[str, Any] = run(task)[0]["payload"]
    return wire


def test_an_area_may_be_at_a_url(sandbox: Sandbox, tmp_path: Path) -> None:
    url = put(sandbox, "in/my area.geojson", json.dumps(ONE_TILE))
    plain = payload()
    assert payload(area=url, area_conn_id="{{ params.conn }}") == plain
    (tmp_path / "area.geojson").write_text(json.dumps(ONE_TILE))
    assert payload(area=f"file://{tmp_path}/area.geojson") == plain
    assert payload(area=f"{tmp_path}/area.geojson") == plain


def test_a_definition_may_be_at_a_url_with_its_files_beside_it(sandbox: Sandbox) -> None:
    put(sandbox, "jobs/ndvi.js", NDVI)
    put(sandbox, "jobs/area.geojson", json.dumps(ONE_TILE))
    said = {"evalscript": "ndvi.js", "area": "area.geojson", "resolution": 10}
    url = put(sandbox, "jobs/ndvi.json", json.dumps(said))
    taken = payload(definition=url, area_conn_id="aws_default", evalscript=None, area=None, resolution=None)
    assert taken == payload(resolution=10)


@pytest.mark.parametrize(
    ("conn_id", "url", "told"),
    [
        ("aws_default", "s3://sandbox/none.geojson", r"area: there is nothing at s3://sandbox/none.geojson"),
        (
            "aws_default",
            "s3://no-such-bucket/a.geojson",
            r"area: there is nothing at|area: .* may not be read",
        ),
        ("wrong", "s3://sandbox/a.geojson", r"area: .* may not be read with connection 'wrong'"),
        ("none", "s3://sandbox/a.geojson", r"area: there is no connection 'none'"),
        (None, "nosuch://x/a.geojson", r"area: nosuch:// cannot be used here"),
        (None, "file:///nowhere/a.geojson", r"area: there is nothing at file:///nowhere/a.geojson"),
    ],
)
def test_what_cannot_be_opened_is_named(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, conn_id: str | None, url: str, told: str
) -> None:
    wrong = {**json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"]), "password": "planted-wrong-key"}
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(wrong))
    with pytest.raises(AirflowFailException, match=told) as raised:
        run(operator(area=url, area_conn_id=conn_id))
    assert "planted" not in str(raised.value)
    assert accepted(sandbox, "creates") == 0


def test_what_is_too_large_is_not_read(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MAX_BYTES", 10)
    url = put(sandbox, "in/large.geojson", json.dumps(ONE_TILE))
    with pytest.raises(DefinitionError, match="more than the 0 that are read"):
        ObjectOpener("aws_default")(url)


def test_a_bucket_is_tried_for_writing(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sandbox.keys()
    found, _ = run(operator(check_write=True, dry_run=True))
    assert not [warning for warning in found["warnings"] if "check_write" in warning]
    assert sandbox.keys() == before
    assert not list(write_faults("aws_default", "s3://sandbox/x/<requestId>/<tileName>.tif"))
    wrong = {**json.loads(os.environ["AIRFLOW_CONN_AWS_DEFAULT"]), "password": "planted-wrong-key"}
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", json.dumps(wrong))
    [fault] = write_faults("wrong", "s3://sandbox/x")
    assert str(fault).startswith(
        "delivery_aws_conn_id: connection 'wrong' has no rights to write to bucket 'sandbox' ("
    )
    role = {
        "delivery_aws_conn_id": None,
        "iam_role_arn": "arn:aws:iam::000000000000:role/sentinelhub-sandbox",
    }
    found, _ = run(operator(check_write=True, dry_run=True, **role))
    assert "check_write does nothing without delivery_aws_conn_id" in found["warnings"][0]


def test_grids_are_listed_described_and_chosen(sandbox: Sandbox) -> None:
    hook = SentinelHubHook()
    assert [grid.id for grid in hook.list_grids()] == [0, 1, 2, 3, 6, 7]
    assert hook.describe_grid(1).name == "10km grid"
    offers = hook.fitting_grids(15)
    assert [(offer.grid.id, offer.resolution, offer.exact) for offer in offers] == [
        (0, 10, False),
        (1, 10, False),
        (7, 10, False),
    ]
    exact = hook.fitting_grids(0.0002, "degree")
    assert [(offer.grid.id, offer.resolution, offer.exact) for offer in exact] == [(3, 0.0002, True)]
    url = put(sandbox, "in/area.geojson", json.dumps(ONE_TILE))
    tiles, caveat = hook.tiles_of(url, 1, 10, area_conn_id="aws_default")
    assert [(tile.width, tile.height) for tile in tiles] == [(1000, 1000)]
    assert "assumed" in caveat
