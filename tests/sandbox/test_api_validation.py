"""What a create call is refused for."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.batch_calls import CALIFORNIA, Batch, error, put, violations

UTM = "http://www.opengis.net/def/crs/EPSG/0/32633"


DATA = "processRequest->input->data->0"
BOUNDS = "processRequest->input->bounds"
RESPONSES = "processRequest->output->responses"
S3 = "output->delivery->s3"
TIFF = {"type": "image/tiff"}


@pytest.mark.parametrize(
    ("path", "value", "parameter"),
    [
        ("processRequest", ..., "processRequest"),
        ("input", ..., "input"),
        ("output", ..., "output"),
        ("output", [1], "output"),
        ("description", 1, "description"),
        ("description", None, "description"),
        (f"{DATA}->dataFilter->x", None, "processRequest->input->data[0]->dataFilter->x"),
        ("processRequest->evalscript", ..., "processRequest->evalscript"),
        ("processRequest->evalscript", " ", "processRequest->evalscript"),
        ("processRequest->input", ..., "processRequest->input"),
        ("processRequest->output", ..., "processRequest->output"),
        (BOUNDS, ..., BOUNDS),
        (BOUNDS, {}, BOUNDS),
        (BOUNDS, {"bbox": [1, 2, 3]}, f"{BOUNDS}->bbox"),
        (BOUNDS, {"bbox": [3, 2, 1, 4]}, f"{BOUNDS}->bbox"),
        (BOUNDS, {"bbox": [1, 2, 3, True]}, f"{BOUNDS}->bbox"),
        (BOUNDS, {"bbox": [1, 80, 3, 95]}, BOUNDS),
        (BOUNDS, {"bbox": [1, 2, 3, 4], "properties": {"crs": "EPSG:4326"}}, f"{BOUNDS}->properties->crs"),
        (BOUNDS, {"bbox": [1, 2, 3, 4], "properties": {"crs": 4326}}, f"{BOUNDS}->properties->crs"),
        (BOUNDS, {"bbox": [1, 2, 3, 4], "properties": []}, f"{BOUNDS}->properties"),
        (BOUNDS, {"bbox": [-1e9, -1e9, 1e9, 1e9], "properties": {"crs": UTM}}, BOUNDS),
        (
            BOUNDS,
            {"bbox": [1, 2, 3, 4], "geometry": {"type": "Polygon", "coordinates": [CALIFORNIA]}},
            BOUNDS,
        ),
        (BOUNDS, {"geometry": {"type": "Point", "coordinates": [1, 2]}}, f"{BOUNDS}->geometry"),
        (BOUNDS, {"geometry": {"type": "Polygon", "coordinates": [[[1, 2], [3]]]}}, f"{BOUNDS}->geometry"),
        (
            BOUNDS,
            {"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}},
            f"{BOUNDS}->geometry",
        ),
        ("processRequest->input->data", [], "processRequest->input->data"),
        ("processRequest->input->data", {}, "processRequest->input->data"),
        (f"{DATA}->type", ..., "processRequest->input->data[0]->type"),
        (f"{DATA}->type", "sentinel-1-grd", "processRequest->input->data[0]->type"),
        (f"{DATA}->id", 5, "processRequest->input->data[0]->id"),
        (f"{DATA}->dataFilter", [], "processRequest->input->data[0]->dataFilter"),
        (f"{DATA}->dataFilter->timeRange", {}, "processRequest->input->data[0]->dataFilter->timeRange"),
        (
            f"{DATA}->dataFilter->timeRange->from",
            "2024-07-01",
            "processRequest->input->data[0]->dataFilter->timeRange",
        ),
        (
            f"{DATA}->dataFilter->timeRange->from",
            "2025-07-01T00:00:00Z",
            "processRequest->input->data[0]->dataFilter->timeRange",
        ),
        (
            f"{DATA}->dataFilter->mosaickingOrder",
            "best",
            "processRequest->input->data[0]->dataFilter->mosaickingOrder",
        ),
        (
            f"{DATA}->dataFilter->maxCloudCoverage",
            101,
            "processRequest->input->data[0]->dataFilter->maxCloudCoverage",
        ),
        (
            f"{DATA}->processing",
            {"upsampling": "LANCZOS"},
            "processRequest->input->data[0]->processing->upsampling",
        ),
        (RESPONSES, [], RESPONSES),
        (
            f"{RESPONSES}->0->format->type",
            "image/png",
            "processRequest->output->responses[0]->format->type",
        ),
        (f"{RESPONSES}->0->format->type", [], "processRequest->output->responses[0]->format->type"),
        (BOUNDS, {"geometry": {"type": [], "coordinates": []}}, f"{BOUNDS}->geometry"),
        (f"{RESPONSES}->0->format", "image/tiff", "processRequest->output->responses[0]->format->type"),
        (f"{RESPONSES}->0->identifier", "a/b", "processRequest->output->responses[0]->identifier"),
        (
            RESPONSES,
            [{"identifier": "a", "format": TIFF}] * 2,
            "processRequest->output->responses[1]->identifier",
        ),
        ("input->type", "list", "input->type"),
        ("input->id", 4, "input->id"),
        ("input->id", "3", "input->id"),
        ("input->id", True, "input->id"),
        ("input->resolution", 30, "input->resolution"),
        ("input->resolution", ..., "input->resolution"),
        ("input->resolution", [20], "input->resolution"),
        ("input->bufferX", -1, "input->bufferX"),
        ("input->bufferY", 1.5, "input->bufferY"),
        ("output->type", "tiff", "output->type"),
        ("output->overwrite", "yes", "output->overwrite"),
        ("output->cogParameters", [], "output->cogParameters"),
        (
            "output->cogParameters",
            {"resamplingAlgorithm": "best"},
            "output->cogParameters->resamplingAlgorithm",
        ),
        ("output->cogParameters", {"blockxsize": 100}, "output->cogParameters->blockxsize"),
        ("output->cogParameters", {"overviewMinSize": 0}, "output->cogParameters->overviewMinSize"),
        ("output->cogParameters", {"overviewLevels": [1]}, "output->cogParameters->overviewLevels"),
        ("output->cogParameters", {"usePredictor": 2}, "output->cogParameters->usePredictor"),
        ("output->delivery", ..., "output->delivery"),
        ("output->delivery", {}, "output->delivery"),
        (f"{S3}->accessKey", ..., S3),
        (f"{S3}->iamRoleARN", "arn:aws:iam::000000000000:role/sentinelhub-sandbox", S3),
        (f"{S3}->region", 1, f"{S3}->region"),
        (f"{S3}->accessKey", "k\u00e9y", f"{S3}->accessKey"),
        (f"{S3}->accessKey", "", f"{S3}->accessKey"),
        (f"{S3}->secretAccessKey", "a\nb", f"{S3}->secretAccessKey"),
        (S3, {"url": "s3://sandbox/x", "iamRoleARN": "role"}, f"{S3}->iamRoleARN"),
        (f"{S3}->url", "s3://sandbox/<tileName", f"{S3}->url"),
        (f"{S3}->url", "s3://sandbox/../x", f"{S3}->url"),
        (f"{S3}->url", "s3://sandbox/" + "x" * 2000, f"{S3}->url"),
        (f"{S3}->url", ..., f"{S3}->url"),
        (f"{S3}->url", "http://sandbox/x", f"{S3}->url"),
        (f"{S3}->url", "s3://Not_A_Bucket/x", f"{S3}->url"),
        (f"{S3}->url", "s3://sandbox/<tile>/x.tif", f"{S3}->url"),
        (f"{S3}->url", "s3://sandbox/<requestId>/x.tif", f"{S3}->url"),
    ],
)
def test_a_fault_is_named(batch: Batch, path: str, value: Any, parameter: str) -> None:
    answer = batch.call("POST", "/process", json=put(batch.body(), path, value))
    assert parameter in violations(answer)
    assert batch.sandbox.secret_key not in answer.text


@pytest.mark.parametrize(
    ("path", "value", "parameter"),
    [
        ("output->delivery", {"gs": {"url": "gs://b/x", "credentials": "x"}}, "output->delivery"),
        ("output->createCollection", True, "output->createCollection"),
        ("output->collectionId", "x", "output->createCollection"),
    ],
)
def test_what_the_sandbox_does_not_imitate_is_said_clearly(
    batch: Batch, path: str, value: Any, parameter: str
) -> None:
    answer = batch.call("POST", "/process", json=put(batch.body(), path, value))
    assert "the sandbox does not imitate this yet" in violations(answer)[parameter]


def test_all_faults_are_named_at_once(batch: Batch) -> None:
    body = batch.body(description=5)
    body["input"] = {"type": "tiling-grid", "id": 12, "resolution": 10, "bufferX": -3}
    body["output"]["delivery"]["s3"]["url"] = "sandbox"
    del body["processRequest"]["evalscript"]
    answer = batch.call("POST", "/process", json=body)
    assert set(violations(answer)) == {
        "description",
        "input->id",
        "input->bufferX",
        "output->delivery->s3->url",
        "processRequest->evalscript",
    }
    assert error(answer, 400)["code"] == "COMMON_BAD_PAYLOAD"


def test_a_missing_evalscript_is_worded_as_by_the_service(batch: Batch) -> None:
    body = put(batch.body(), "processRequest->evalscript", "")
    message = error(batch.call("POST", "/process", json=body), 400)["message"]
    assert message == "Missing or empty evalscript."


def test_several_outputs_need_a_place_in_the_template(batch: Batch) -> None:
    body = batch.body(url="s3://sandbox/x/<tileName>.tif")
    both = [{"identifier": "a", "format": TIFF}, {"identifier": "b", "format": TIFF}]
    answer = batch.call("POST", "/process", json=put(body, RESPONSES, both))
    assert "<outputId>" in violations(answer)[f"{S3}->url"]


def test_cogs_are_for_tiffs_only(batch: Batch) -> None:
    responses = [
        {"identifier": "default", "format": TIFF},
        {"identifier": "userdata", "format": {"type": "application/json"}},
    ]
    body = put(put(batch.body(), RESPONSES, responses), "output->cogOutput", True)
    assert "output->cogOutput" in violations(batch.call("POST", "/process", json=body))


def test_unknown_keys_and_old_ones_are_accepted(batch: Batch) -> None:
    body = batch.body(instanceType="normal", somethingNew={"a": [1]})
    body["processRequest"]["output"]["width"] = 512
    body["output"]["delivery"]["s3"]["region"] = "WAW3-1"
    answer = batch.call("POST", "/process", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["request"]["somethingNew"] == {"a": [1]}


def test_other_reference_systems_and_multipolygons_are_accepted(batch: Batch) -> None:
    body = batch.body()
    ring = [[500_000, 5_000_000], [500_100, 5_000_000], [500_100, 5_000_100], [500_000, 5_000_000]]
    body["processRequest"]["input"]["bounds"] = {
        "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]},
        "properties": {"crs": UTM},
    }
    assert batch.call("POST", "/process", json=body).status_code == 201


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"{}", "application/json; charset=utf-8", 400),
        (b'"text"', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "application/json", 400),
        (b"9" * 5000, "application/json", 400),
        (b'{"description": "\\ud800"}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"a=b", "application/x-www-form-urlencoded", 415),
        (b"nonsense", "multipart/form-data", 400),
        (b"nonsense", "multipart/form-data; boundary=x", 400),
    ],
)
def test_bodies_that_are_no_request(batch: Batch, content: bytes, content_type: str, status: int) -> None:
    answer = batch.call("POST", "/process", data=content, headers={"Content-Type": content_type})
    assert error(answer, status)["code"]


@pytest.mark.parametrize("number", ["1e400", "NaN", "-Infinity", "9" * 400])
def test_numbers_beyond_all_bounds(batch: Batch, number: str) -> None:
    text = (
        '{"processRequest": {"input": {"bounds": {"bbox": [N, N, N, N]}}},'
        ' "input": {"type": "tiling-grid", "id": N, "resolution": N, "bufferX": N}}'
    )
    answer = batch.call(
        "POST",
        "/process",
        data=text.replace("N", number).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert {"input->id", "input->bufferX"} <= set(violations(answer))


# -- bucket and account


def test_a_missing_bucket_and_wrong_keys_are_found_at_create(batch: Batch) -> None:
    missing = batch.call("POST", "/process", json=batch.body(url="s3://no-such-bucket/x"))
    assert "NoSuchBucket" in violations(missing)["output->delivery->s3->url"]
    wrong = put(batch.body(), f"{S3}->secretAccessKey", "wrong-secret-wrong-secret")
    refused = batch.call("POST", "/process", json=wrong)
    assert "SignatureDoesNotMatch" in violations(refused)["output->delivery->s3->url"]
    unknown = put(batch.body(), f"{S3}->accessKey", "NOBODY")
    refused = batch.call("POST", "/process", json=unknown)
    assert "InvalidAccessKeyId" in violations(refused)["output->delivery->s3->url"]


def test_a_role_can_deliver_and_an_unknown_one_cannot(batch: Batch) -> None:
    body = batch.body()
    body["output"]["delivery"]["s3"] = {
        "url": "s3://sandbox/role",
        "iamRoleARN": "arn:aws:iam::000000000000:role/sentinelhub-sandbox",
    }
    request_id = batch.create(body)
    assert batch.sandbox.keys(f"role/{request_id}/") == [f"role/{request_id}/request-{request_id}.json"]
    other = put(body, f"{S3}->iamRoleARN", "arn:aws:iam::000000000000:role/nobody")
    refused = batch.call("POST", "/process", json=other)
    assert "output->delivery->s3->url" in violations(refused)


def test_an_account_needs_1000_units(batch: Batch) -> None:
    request_id = batch.create()
    batch.sandbox.steer(balance_pu=999.9)
    for answer in (batch.call("POST", "/process", json=batch.body()), batch.act(request_id, "analyse")):
        body = error(answer, 403)
        assert body["code"] == "ACCESS_INSUFFICIENT_PROCESSING_UNITS"
    batch.sandbox.steer(balance_pu=1000)
    batch.create()
