"""The client and every fault that the sandbox can be steered to: what is repeated, waited out, or named."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support import ONE_TILE, QUICK, answers, client_for, created, wait_for

from airflow_provider_sentinelhub.client import actions, auth, errors
from airflow_provider_sentinelhub.client.batch import BatchClient
from airflow_provider_sentinelhub.client.deployments import Credentials
from airflow_provider_sentinelhub.client.retries import Backoff

if TYPE_CHECKING:
    from sandbox_driver import Sandbox

ONCE = Backoff(attempts=1)


# --- faults ---


def test_a_storm_of_429_is_waited_out_in_milliseconds(client: BatchClient, sandbox: Sandbox) -> None:
    sandbox.fault("rate_limit", path="/process*", times=3, retry_after_ms=300)
    began = time.monotonic()
    created(client, sandbox)
    assert 0.9 <= time.monotonic() - began < 10
    assert answers(sandbox, "POST", "/process") == [429, 429, 429, 201]


def test_a_429_at_the_token_endpoint_is_waited_out_as_well(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_sources", {})
    sandbox.fault("rate_limit", path="/token", times=2, retry_after_ms=100)
    assert list(client_for(sandbox).iter_tiling_grids())


def test_a_429_without_end_ends_as_what_it_is(sandbox: Sandbox) -> None:
    sandbox.fault("rate_limit", method="GET", times=None, retry_after_ms=100)
    with pytest.raises(errors.RateLimitedError) as raised:
        client_for(sandbox, backoff=replace(QUICK, attempts=3)).get("x")
    assert raised.value.retry_after == 0.1
    assert len(answers(sandbox, "GET", "/x")) == 3


@pytest.mark.parametrize("body", ["json", "html", "empty"])
def test_a_5xx_is_repeated_where_that_is_safe(client: BatchClient, sandbox: Sandbox, body: str) -> None:
    request_id = created(client, sandbox)
    sandbox.fault("server_error", method="GET", times=2, status=503, body=body)
    assert client.get(request_id).id == request_id


def test_a_create_is_not_repeated_after_a_5xx_or_a_lost_reply(client: BatchClient, sandbox: Sandbox) -> None:
    known = len(list(client.iter_requests()))
    for kind, rule, error in (
        ("server_error", {"status": 500}, errors.ServerError),
        ("drop", {"when": "before"}, errors.LostReplyError),
        ("drop", {"when": "after"}, errors.LostReplyError),
        ("garbage", {}, errors.GarbledReplyError),
    ):
        sandbox.clear_faults()
        sandbox.clear_journal()
        sandbox.fault(kind, method="POST", path="/process", **rule)
        with pytest.raises(error):
            created(client, sandbox)
        sandbox.wait(lambda: answers(sandbox, "POST", "/process"))
        assert len(answers(sandbox, "POST", "/process")) == 1, kind
    assert len(list(client.iter_requests())) <= known + 2


def test_a_passing_claim_of_an_empty_body_is_repeated_even_for_a_create(
    client: BatchClient, sandbox: Sandbox
) -> None:
    message = "Request body should be non-empty."
    sandbox.fault("client_error", method="POST", path="/process", message=message)
    created(client, sandbox)
    assert answers(sandbox, "POST", "/process") == [400, 201]


@pytest.mark.parametrize("pace", [{"polls": 3}, {"seconds": 1}])
def test_a_404_just_after_create_is_repeated(
    client: BatchClient, sandbox: Sandbox, pace: dict[str, float]
) -> None:
    sandbox.steer(not_found_after_create=pace)
    request_id = created(client, sandbox)
    assert client.get(request_id).id == request_id
    assert 404 in answers(sandbox, "GET", request_id)


def test_a_404_of_what_somebody_else_has_just_created_is_repeated_while_it_is_listed(
    client: BatchClient, sandbox: Sandbox
) -> None:
    """As when a create's reply was lost, or its process died, or the next task of a Dag takes over."""
    sandbox.steer(not_found_after_create={"polls": 3})
    request_id = created(client, sandbox)
    assert client_for(sandbox).get(request_id).id == request_id
    assert answers(sandbox, "GET", request_id) == [404, 404, 404, 200]
    assert answers(sandbox, "GET", "/process") == [200], "the list was read more than once"

    request_id = created(client, sandbox)
    with pytest.raises(errors.NotFoundError):
        client_for(sandbox, backoff=ONCE).get(request_id)


def test_no_other_404_is_repeated(client: BatchClient, sandbox: Sandbox) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    for call in (client.get, client.analyse, client.start, client.stop):
        sandbox.clear_journal()
        with pytest.raises(errors.NotFoundError):
            call(unknown)
        assert [c["status"] for c in sandbox.journal()["calls"] if unknown in c["path"]] == [404]
    with pytest.raises(errors.BatchExpiredError, match="forgotten"):
        actions.look(client, unknown)


def test_a_request_that_the_service_has_forgotten_is_expired(client: BatchClient, sandbox: Sandbox) -> None:
    request_id = created(client, sandbox)
    sandbox.expire_request(request_id)
    with pytest.raises(errors.BatchExpiredError):
        actions.look(client_for(sandbox), request_id)


def test_phases_that_advance_with_each_poll(client: BatchClient, sandbox: Sandbox) -> None:
    sandbox.steer(analysis={"polls": 2}, processing={"polls": 4})
    request_id = created(client, sandbox, area=ONE_TILE)
    client.start(request_id)
    seen: list[str] = []
    for _ in range(100):
        request = client.get(request_id)
        if not seen or seen[-1] != str(request.status):
            seen.append(str(request.status))
        if request.status == "DONE":
            break
        time.sleep(0.05)
    assert seen[-2:] == ["PROCESSING", "DONE"], seen


def test_a_slow_service_is_waited_for_but_not_for_ever(sandbox: Sandbox) -> None:
    client = client_for(sandbox, timeout=(5, 1), backoff=ONCE)
    request_id = created(client, sandbox)
    sandbox.fault("latency", method="GET", times=None, seconds=0.3)
    assert client.get(request_id).id == request_id
    sandbox.clear_faults()
    sandbox.fault("latency", method="GET", seconds=4)
    began = time.monotonic()
    with pytest.raises(errors.LostReplyError):
        client.get(request_id)
    assert time.monotonic() - began < 3


def test_the_token_call_has_a_timeout_too(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_sources", {})
    sandbox.fault("latency", path="/token", seconds=4)
    began = time.monotonic()
    with pytest.raises(errors.LostReplyError, match="token"):
        client_for(sandbox, timeout=(5, 1), backoff=ONCE).check()
    assert time.monotonic() - began < 3


def test_a_request_out_of_processing_units(client: BatchClient, sandbox: Sandbox) -> None:
    sandbox.fault("out_of_pu", after_tiles=0)
    request_id = created(client, sandbox)
    actions.ensure_started(client, request_id)
    with pytest.raises(errors.BatchOutOfPuError, match="60 minutes"):
        wait_for(client, request_id)


def test_an_account_below_the_minimum_cannot_create(client: BatchClient, sandbox: Sandbox) -> None:
    sandbox.steer(balance_pu=999)
    with pytest.raises(errors.InsufficientProcessingUnitsError, match="Top up"):
        created(client, sandbox)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("unhealthy", errors.BatchUnhealthyError),
        ("analysis_failure", errors.BatchFailedError),
        ("processing_failure", errors.BatchFailedError),
        ("unknown_status", errors.UnknownStatusError),
    ],
)
def test_every_ending_has_its_error(
    client: BatchClient, sandbox: Sandbox, kind: str, error: type[errors.BatchError]
) -> None:
    rule = {"times": None} if kind == "unknown_status" else {}
    request_id = created(client, sandbox)
    sandbox.fault(kind, request=request_id, **rule)
    client.start(request_id)
    with pytest.raises(error):
        wait_for(client, request_id)


@pytest.mark.parametrize("phase", ["create", "analysis", "processing"])
def test_a_bucket_that_refuses_the_service(client: BatchClient, sandbox: Sandbox, phase: str) -> None:
    if phase == "create":
        sandbox.fault("bucket_denied", phase=phase)
        with pytest.raises(errors.InvalidRequestError, match="delivery"):
            created(client, sandbox)
        return
    request_id = created(client, sandbox)
    sandbox.fault("bucket_denied", phase=phase, request=request_id)
    client.start(request_id)
    with pytest.raises(errors.BatchFailedError, match="Failed to write"):
        wait_for(client, request_id)
    assert not [key for key in sandbox.keys(f"tests/{request_id}/") if key.endswith(".tif")]


# --- tokens ---


def test_a_token_is_fetched_once_for_many_threads(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_sources", {})
    clients = [client_for(sandbox) for _ in range(8)]
    threads = [threading.Thread(target=lambda c=c: list(c.iter_tiling_grids())) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers(sandbox, "POST", "/token") == [200]
    assert answers(sandbox, "GET", "/tilinggrids") == [200] * 8


def test_a_token_is_renewed_before_it_expires(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_sources", {})
    sandbox.steer(token_lifetime=6)
    client = client_for(sandbox)
    end = time.monotonic() + 6.5
    while time.monotonic() < end:
        client.check()
        time.sleep(0.2)
    assert answers(sandbox, "POST", "/token").count(200) == 2
    assert set(answers(sandbox, "GET", "/process")) == {200}


def test_a_token_that_was_refused_is_replaced_once(sandbox: Sandbox, client: BatchClient) -> None:
    client.check()
    sandbox.expire_tokens()
    sandbox.clear_journal()
    created(client, sandbox)
    assert answers(sandbox, "POST", "/process") == [401, 201]
    assert answers(sandbox, "POST", "/token") == [200]


def test_a_token_that_runs_out_after_one_that_was_refused_is_replaced_too(
    sandbox: Sandbox, client: BatchClient
) -> None:
    """A call that is repeated keeps its token, and waits."""
    client.check()
    sandbox.clear_journal()
    sandbox.steer(token_lifetime=1)
    sandbox.fault("client_error", method="GET", path="/process", status=401)
    sandbox.fault("rate_limit", method="GET", path="/process", retry_after_ms=1500)
    client.check()
    assert sorted(answers(sandbox, "GET", "/process")) == [200, 401, 401, 429]
    assert answers(sandbox, "POST", "/token") == [200, 200]


def test_a_service_that_refuses_every_token_is_asked_three_times_only(
    sandbox: Sandbox, client: BatchClient
) -> None:
    sandbox.fault("client_error", method="GET", status=401, times=None)
    with pytest.raises(errors.AuthenticationError):
        client.check()
    assert answers(sandbox, "GET", "/process") == [401, 401, 401]


def test_another_secret_is_another_token(sandbox: Sandbox, client: BatchClient) -> None:
    client.check()
    wrong = BatchClient(client.deployment, Credentials(sandbox.client_id, "wrong"), backoff=QUICK)
    with pytest.raises(errors.AuthenticationError, match="client secret"):
        wrong.check()
