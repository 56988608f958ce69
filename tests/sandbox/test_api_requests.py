"""Requests over HTTP: create, get, list, update; tiling grids; both path schemes; the form of errors."""

from __future__ import annotations

import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from sandbox.batch_calls import NDVI, Batch, error, violations
from sandbox_driver import Sandbox

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def test_a_created_request_is_echoed_with_defaults_and_without_secrets(batch: Batch) -> None:
    sent = batch.body(description="one tile")
    answer = batch.call("POST", "/process", json=sent)
    assert answer.status_code == 201
    task = answer.json()
    uuid.UUID(task["id"])
    assert task["domainAccountId"] == task["projectId"]
    assert (task["status"], task["userAction"]) == ("CREATED", "NONE")
    assert (task["completionPercentage"], task["costPU"]) == (0, 0)
    assert TIMESTAMP.fullmatch(task["created"])
    assert "error" not in task
    assert "stoppedStatusReason" not in task
    request = task["request"]
    assert request["description"] == "one tile"
    s3 = request["output"]["delivery"]["s3"]
    assert (s3["accessKey"], s3["secretAccessKey"]) == ("*****", "*****")
    assert request["input"] == {**sent["input"], "bufferX": 0, "bufferY": 0}
    assert request["output"]["skipExisting"] is request["output"]["overwrite"] is False
    assert request["processRequest"]["evalscript"] == NDVI
    data = request["processRequest"]["input"]["data"][0]
    assert data["dataFilter"]["maxCloudCoverage"] == 100.0
    crs = request["processRequest"]["input"]["bounds"]["properties"]["crs"]
    assert crs == "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
    assert batch.get(task["id"]) == task


def test_creating_uploads_the_request_without_secrets(batch: Batch) -> None:
    request_id = batch.create()
    document = batch.sandbox.read(f"results/{request_id}/request-{request_id}.json").decode()
    assert json.loads(document)["processRequest"]["evalscript"] == NDVI
    assert batch.sandbox.secret_key not in document
    assert batch.sandbox.access_key not in document


def test_multipart_brings_the_evalscript_in_a_part_of_its_own(batch: Batch) -> None:
    body = batch.body()
    del body["processRequest"]["evalscript"]
    files: dict[str, tuple[str | None, str, str]] = {
        "request": (None, json.dumps(body), "application/json"),
        "evalscript": (None, NDVI, "application/javascript"),
    }
    answer = batch.call("POST", "/process", files=files)
    assert answer.status_code == 201, answer.text
    assert answer.json()["request"]["processRequest"]["evalscript"] == NDVI
    files["evalscript"] = ("evalscript.js", NDVI, "text/plain")
    assert batch.call("POST", "/process", files=files).status_code == 201


@pytest.mark.parametrize("prefix", ["/batch/v2", "/api/v2/batch"])
@pytest.mark.parametrize("ending", ["", "/"])
def test_both_path_schemes_with_and_without_a_slash(batch: Batch, prefix: str, ending: str) -> None:
    def call(method: str, path: str, **arguments: Any) -> requests.Response:
        return batch.sandbox.call(method, f"{prefix}{path}{ending}", token=batch.token, **arguments)

    created = call("POST", "/process", json=batch.body())
    assert created.status_code == 201
    path = f"/process/{created.json()['id']}"
    assert call("GET", path).status_code == 200
    assert call("PUT", path, json={"description": "new"}).status_code == 200
    assert call("POST", f"{path}/analyse").status_code == 204
    assert call("GET", "/tilinggrids/1").json()["id"] == 1
    links = call("GET", "/process", params={"count": 1}).json()["links"]
    assert links["@id"].startswith(f"{batch.sandbox.base_url}/batch/v2/process?")


def test_only_the_description_can_be_updated(batch: Batch) -> None:
    request_id = batch.create(description="before")
    before = batch.get(request_id)
    answer = batch.call("PUT", f"/process/{request_id}", json={"description": "after", "input": {}})
    assert answer.status_code == 200
    assert answer.json() == {**before["request"], "description": "after"}
    after = batch.get(request_id)
    assert after["request"]["description"] == "after"
    assert after["request"]["input"] == before["request"]["input"]
    assert after["lastUpdated"] > before["lastUpdated"]
    assert batch.call("PUT", f"/process/{request_id}", json={}).json()["description"] == "after"
    assert "description" in violations(
        batch.call("PUT", f"/process/{request_id}", json={"description": None})
    )
    error(batch.call("PUT", f"/process/{request_id}", json=[1]), 400)
    error(batch.call("PUT", f"/process/{request_id}", data=b"{}"), 415)


def test_a_request_at_work_cannot_be_updated(batch: Batch) -> None:
    batch.sandbox.steer(processing={"seconds": 3600})
    request_id = batch.started()
    batch.until(request_id, "PROCESSING")
    error(batch.call("PUT", f"/process/{request_id}", json={"description": "x"}), 409)


def test_concurrent_creates_are_all_kept(batch: Batch) -> None:
    with ThreadPoolExecutor(10) as pool:
        ids = set(pool.map(lambda number: batch.create(description=f"burst {number}"), range(20)))
    assert len(ids) == 20
    listed = batch.call("GET", "/process", params={"search": "burst", "count": 100}).json()["data"]
    assert ids <= {task["id"] for task in listed}
    journal = batch.sandbox.journal()["requests"]
    assert all(journal[request_id]["creates"] == 1 for request_id in ids)


# -- lists


def read_all(batch: Batch, **params: Any) -> tuple[list[str], int]:
    """Return the ids of all pages, and how many pages there were."""
    ids, pages = [], 0
    while True:
        page = batch.call("GET", "/process", params=params).json()
        ids += [task["id"] for task in page["data"]]
        pages += 1
        if "nextToken" not in page["links"]:
            return ids, pages
        assert f"viewtoken={page['links']['nextToken']}" in page["links"]["next"]
        params["viewtoken"] = page["links"]["nextToken"]


def test_lists_are_paged(batch: Batch) -> None:
    word = uuid.uuid4().hex
    created = [batch.create(description=f"{word} {number}") for number in range(5)]
    assert read_all(batch, count=2, search=word, sort="created") == (created, 3)
    assert read_all(batch, search=word, sort="created:desc") == (created[::-1], 1)
    batch.sandbox.steer(page_size=3)
    assert read_all(batch, search=word, count=1000, sort="created") == (created, 2)
    links = batch.call("GET", "/process", params={"count": 2, "search": word, "viewtoken": 2}).json()["links"]
    assert (links["previousToken"], links["currentToken"], links["nextToken"]) == ("0", "2", "4")
    following = requests.get(links["next"], headers={"Authorization": f"Bearer {batch.token}"}, timeout=30)
    assert [task["id"] for task in following.json()["data"]] == created[4:]


def test_lists_can_be_sorted_by_status_and_searched_by_words(batch: Batch) -> None:
    word = uuid.uuid4().hex
    plain = batch.create(description=f"{word} apple pear")
    analysed = batch.create(description=f"{word} Plum")
    batch.accept(analysed, "analyse")
    batch.until(analysed, "ANALYSIS_DONE")
    assert read_all(batch, search=word, sort="status")[0] == [analysed, plain]
    assert read_all(batch, search=word, sort="status:desc")[0] == [plain, analysed]
    assert read_all(batch, search=f"{word}&apple")[0] == [plain]
    assert read_all(batch, search=f"{word}&plum")[0] == [analysed]
    assert sorted(read_all(batch, search=f"{word}&apple|plum")[0]) == sorted([plain, analysed])
    assert read_all(batch, search=f"{word}&apple&plum")[0] == []


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        *[("count", value) for value in ("0", "x", "9" * 30)],
        *[("viewtoken", value) for value in ("-1", "1e3", "\u0662", "")],
        ("sort", "name"),
    ],
)
def test_unusable_query_parameters(batch: Batch, parameter: str, value: str) -> None:
    assert parameter in violations(batch.call("GET", "/process", params={parameter: value}))


def test_unknown_query_parameters_are_ignored(batch: Batch) -> None:
    assert batch.call("GET", "/process", params={"userid": "x", "status": "y"}).status_code == 200


# -- tiling grids


def test_tiling_grids(batch: Batch) -> None:
    page = batch.call("GET", "/tilinggrids").json()
    assert [grid["id"] for grid in page["data"]] == [0, 1, 2, 3, 6, 7]
    assert "nextToken" not in page["links"]
    one = batch.call("GET", "/tilinggrids/1").json()
    assert one == page["data"][1]
    assert one["properties"]["tileWidth"] == 10_000
    first = batch.call("GET", "/tilinggrids", params={"count": 4}).json()
    rest = batch.call("GET", "/tilinggrids", params={"viewtoken": first["links"]["nextToken"]}).json()
    assert first["data"] + rest["data"] == page["data"]


@pytest.mark.parametrize("number", ["4", "99", "x", "-1", "9" * 400, "%D9%A2", "%00"])
def test_an_unknown_tiling_grid_is_a_bad_request(batch: Batch, number: str) -> None:
    assert "id" in violations(batch.call("GET", f"/tilinggrids/{number}"))


# -- errors


def test_unknown_requests_and_paths_are_not_found(batch: Batch) -> None:
    for method, path in [
        ("GET", f"/process/{uuid.uuid4()}"),
        ("PUT", f"/process/{uuid.uuid4()}"),
        ("POST", f"/process/{uuid.uuid4()}/start"),
        ("POST", f"/process/{batch.create()}/cancel"),
        ("GET", "/process/not-a-uuid"),
        ("GET", "/process/%00%ff"),
        ("GET", "/nothing"),
    ]:
        body = error(batch.call(method, path, json={}), 404)
        assert (body["reason"], body["code"]) == ("Not Found", "COMMON_NOT_FOUND")


def test_wrong_methods_are_told_the_right_ones(batch: Batch) -> None:
    for method, path, allowed in [
        ("DELETE", "/process", "GET, POST"),
        ("PATCH", "/process/x", "GET, PUT"),
        ("GET", "/process/x/start", "POST"),
        ("POST", "/tilinggrids", "GET"),
        ("TRACE", "/process", "GET, POST"),
    ]:
        answer = batch.call(method, path)
        assert error(answer, 405)["code"] == "COMMON_METHOD_NOT_ALLOWED"
        assert answer.headers["Allow"] == allowed


def test_accounts_do_not_see_each_other(sandbox: Sandbox, batch: Batch) -> None:
    mine = batch.create()
    name = f"other-{uuid.uuid4().hex}"
    sandbox.add_account(name, "other-secret")
    answer = requests.post(
        sandbox.token_url,
        data={"grant_type": "client_credentials", "client_id": name, "client_secret": "other-secret"},
        timeout=30,
    )
    other = Batch(sandbox)
    other.token = answer.json()["access_token"]
    error(other.call("GET", f"/process/{mine}"), 404)
    error(other.act(mine, "start"), 404)
    theirs = other.create()
    assert [task["id"] for task in other.call("GET", "/process").json()["data"]] == [theirs]
    assert other.get(theirs)["projectId"] != batch.get(mine)["projectId"]
    error(batch.call("GET", f"/process/{theirs}"), 404)


def test_a_forgotten_request_is_not_found(batch: Batch) -> None:
    request_id = batch.create(description="forgotten")
    batch.sandbox.expire_request(request_id)
    error(batch.call("GET", f"/process/{request_id}"), 404)
    error(batch.act(request_id, "start"), 404)
    assert request_id not in read_all(batch, search="forgotten")[0]
