"""The client against the sandbox over HTTP: every endpoint, and acting twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow_driver import free_ports
from support import QUICK, answers, created, definition, secrets_of, starts, wait_for

from airflow_provider_sentinelhub.client import actions, errors
from airflow_provider_sentinelhub.client.batch import BatchClient
from airflow_provider_sentinelhub.client.definition import BucketKeys, Delivery
from airflow_provider_sentinelhub.client.deployments import Credentials, deployment
from airflow_provider_sentinelhub.client.retries import Backoff

if TYPE_CHECKING:
    from sandbox_driver import Sandbox

ONCE = Backoff(attempts=1)


# --- every endpoint ---


@pytest.mark.parametrize("scheme", ["new", "old"])
def test_the_whole_life_of_a_request(sandbox: Sandbox, scheme: str) -> None:
    where = deployment("custom", base_url=sandbox.base_url, token_url=sandbox.token_url, path_scheme=scheme)
    client = BatchClient(where, Credentials(sandbox.client_id, sandbox.client_secret), backoff=QUICK)
    request_id = created(client, sandbox, description="before")
    assert client.get(request_id).description == "before"
    client.update_description(request_id, "after")
    assert client.get(request_id).description == "after"
    client.analyse(request_id)
    wait_for(client, request_id, "ANALYSIS_DONE")
    client.start(request_id)
    done = wait_for(client, request_id)
    assert done.completion_percentage == 100
    assert done.cost_pu is not None
    assert done.cost_pu > 0
    assert done.definition["output"]["delivery"]["s3"]["secretAccessKey"] == "*****"
    assert [key for key in sandbox.keys(f"tests/{request_id}/") if key.endswith("NDVI.tif")]


def test_tiling_grids(client: BatchClient) -> None:
    grids = list(client.iter_tiling_grids())
    assert {grid.id for grid in grids} == {0, 1, 2, 3, 6, 7}
    assert client.get_tiling_grid(1) == next(grid for grid in grids if grid.id == 1)


def test_requests_are_listed_newest_first_over_all_pages(client: BatchClient, sandbox: Sandbox) -> None:
    made = [created(client, sandbox) for _ in range(5)]
    listed = [request.id for request in client.iter_requests(page_size=2)]
    assert listed[:5] == made[::-1]
    assert len(listed) == len(set(listed))
    before = len(answers(sandbox, "GET", "/process"))
    assert next(client.iter_requests(page_size=2)).id == made[-1]
    assert len(answers(sandbox, "GET", "/process")) == before + 1


def test_stop_and_its_lock(client: BatchClient, sandbox: Sandbox) -> None:
    sandbox.steer(processing={"seconds": 600})
    request_id = created(client, sandbox)
    actions.ensure_started(client, request_id)
    sandbox.wait(lambda: client.get(request_id).status == "PROCESSING")
    actions.ensure_stopped(client, request_id)
    with pytest.raises(errors.BatchStoppedByUserError):
        wait_for(client, request_id)
    with pytest.raises(errors.InvalidRequestError):
        actions.ensure_started(client, request_id)
    sandbox.advance(30 * 60 + 1)
    sandbox.steer(processing={"seconds": 0})
    actions.ensure_started(client, request_id)
    wait_for(client, request_id)
    assert starts(sandbox, request_id) == 2


# --- acting twice does no harm ---


def test_a_started_request_is_not_started_again(client: BatchClient, sandbox: Sandbox) -> None:
    request_id = created(client, sandbox)
    for _ in range(3):
        actions.ensure_analysed(client, request_id)
    wait_for(client, request_id, "ANALYSIS_DONE")
    for _ in range(3):
        actions.ensure_started(client, request_id)
    wait_for(client, request_id)
    actions.ensure_started(client, request_id)
    assert starts(sandbox, request_id) == 1
    with pytest.raises(errors.IllegalActionError):
        client.start(request_id)
    assert actions.ensure_stopped(client, request_id).status == "DONE"


def test_a_stop_right_after_a_start_waits_until_the_service_accepts_it(
    client: BatchClient, sandbox: Sandbox
) -> None:
    sandbox.steer(pickup={"seconds": 1.5}, processing={"seconds": 600})
    request_id = created(client, sandbox)
    client.start(request_id)
    with pytest.raises(errors.IllegalActionError, match="from START to STOP with task status CREATED"):
        client.stop(request_id)
    actions.ensure_stopped(client, request_id)
    assert sandbox.journal()["requests"][request_id]["stops"] == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_reply_to_start_is_settled_by_looking(
    client: BatchClient, sandbox: Sandbox, when: str
) -> None:
    request_id = created(client, sandbox)
    sandbox.fault("drop", method="POST", path="/process/*/start", when=when)
    if when == "after":
        actions.ensure_started(client, request_id)
        wait_for(client, request_id)
    else:
        with pytest.raises(errors.LostReplyError):
            actions.ensure_started(client, request_id)
    assert starts(sandbox, request_id) == (1 if when == "after" else 0)


def test_stale_statuses_after_a_start_cause_no_second_one(client: BatchClient, sandbox: Sandbox) -> None:
    sandbox.steer(stale_status={"polls": 3}, pickup={"polls": 2}, processing={"polls": 2})
    request_id = created(client, sandbox)
    for _ in range(3):
        actions.ensure_started(client, request_id)
    wait_for(client, request_id)
    assert starts(sandbox, request_id) == 1


# --- what cannot work ---


def test_an_unreachable_host_is_called_so(sandbox: Sandbox) -> None:
    [port] = free_ports(1)
    nowhere = f"http://127.0.0.1:{port}"
    where = deployment("custom", base_url=nowhere, token_url=sandbox.token_url)
    client = BatchClient(where, Credentials(sandbox.client_id, sandbox.client_secret), backoff=ONCE)
    with pytest.raises(errors.UnreachableError, match="base_url"):
        client.check()


def test_a_service_that_is_no_sentinel_hub_is_called_so(sandbox: Sandbox) -> None:
    where = deployment(
        "custom", base_url=sandbox.base_url + "/sandbox", token_url=sandbox.base_url + "/sandbox/health"
    )
    client = BatchClient(where, Credentials("a", "b"), backoff=ONCE)
    with pytest.raises(errors.SentinelHubError):
        client.check()


def test_a_missing_bucket_is_named(client: BatchClient, sandbox: Sandbox) -> None:
    keys = BucketKeys(sandbox.access_key, sandbox.secret_key)
    with pytest.raises(errors.InvalidRequestError, match="delivery"):
        created(client, sandbox, delivery=Delivery("s3://no-such-bucket/x", keys))


def test_no_secret_in_any_error(client: BatchClient, sandbox: Sandbox) -> None:
    texts = []
    for delivery in (
        Delivery("s3://no-such-bucket/x", BucketKeys(sandbox.access_key, sandbox.secret_key)),
        Delivery(f"s3://{sandbox.bucket}/x", BucketKeys(sandbox.access_key, "planted-secret-key")),
    ):
        with pytest.raises(errors.ApiError) as raised:
            client.create(definition(sandbox, delivery=delivery).to_wire())
        texts.append(f"{raised.value} {raised.value!r} {raised.value.body!r}")
    sandbox.fault("client_error", method="POST", message=f"bad {sandbox.secret_key}", code=sandbox.access_key)
    with pytest.raises(errors.ApiError) as raised:
        created(client, sandbox)
    texts.append(f"{raised.value} {raised.value.body!r}")
    for text in texts:
        for secret in [*secrets_of(sandbox), "planted-secret-key"]:
            assert secret not in text
