"""Both sensors in each mode: the same request gives the same result, or the same error."""

from __future__ import annotations

import asyncio
import re
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout
from airflow_runner import MODES, across, context, run
from support import FOUR_TILES, answers, client_for, created, secrets_of, wait_for

from airflow_provider_sentinelhub.client.errors import BatchError
from airflow_provider_sentinelhub.sensors.batch import SentinelHubBatchSensor
from airflow_provider_sentinelhub.sensors.tiles import SentinelHubTilesSensor
from airflow_provider_sentinelhub.triggers import polling
from airflow_provider_sentinelhub.triggers.batch import SentinelHubBatchTrigger

if TYPE_CHECKING:
    from sandbox_driver import Sandbox


def sensor(kind: type[SentinelHubBatchSensor], mode: str, request_id: str, **options: Any) -> Any:
    how = {"deferrable": True} if mode == "deferrable" else {"mode": mode, "deferrable": False}
    options.setdefault("timeout", 60)
    return kind(task_id="wait", request_id=request_id, poll_interval=0.2, **how, **options)


@pytest.fixture
def started(sandbox: Sandbox) -> str:
    """A request at work that is not done at once."""
    sandbox.steer(analysis={"seconds": 0.5}, processing={"seconds": 1})
    client = client_for(sandbox)
    request_id = created(client, sandbox, area=FOUR_TILES)
    client.start(request_id)
    return request_id


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("status", ["ANALYSIS_DONE", "DONE"])
def test_the_sensor_waits_and_returns_the_id(sandbox: Sandbox, started: str, mode: str, status: str) -> None:
    result, released = run(sensor(SentinelHubBatchSensor, mode, started, target_status=status))
    assert result == started
    assert (released > 0) is (mode != "poke")
    assert client_for(sandbox).get(started).status in ("DONE", "ANALYSIS_DONE", "PROCESSING")


@pytest.mark.parametrize("mode", MODES)
def test_what_is_reached_already_is_not_waited_for(sandbox: Sandbox, started: str, mode: str) -> None:
    wait_for(client_for(sandbox), started)
    for status in ("ANALYSIS_DONE", "DONE"):
        assert run(sensor(SentinelHubBatchSensor, mode, started, target_status=status)) == (started, 0)


@pytest.mark.parametrize("mode", MODES)
def test_the_tiles_are_listed_for_expand(sandbox: Sandbox, started: str, mode: str) -> None:
    tiles, _ = run(sensor(SentinelHubTilesSensor, mode, started))
    assert [tile["name"] for tile in tiles] == sorted(tile["name"] for tile in tiles)
    assert len(tiles) == 4
    for tile in tiles:
        assert tile["crs"] == "EPSG:32611"
        assert (tile["width"], tile["height"]) == (500, 500)
        west, south, east, north = tile["bounds"]
        assert (east - west, north - south) == (10_000, 10_000)
        assert list(tile["outputs"]) == ["NDVI"]
        key = tile["outputs"]["NDVI"].removeprefix(f"s3://{sandbox.bucket}/")
        assert sandbox.read(key)[:2] in (b"II", b"MM")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kind", "rule", "name"),
    [
        ("analysis_failure", {"error": "planted reason"}, "BatchFailedError"),
        ("processing_failure", {"error": "planted reason"}, "BatchFailedError"),
        ("out_of_pu", {}, "BatchOutOfPuError"),
        ("unhealthy", {}, "BatchUnhealthyError"),
        ("unknown_status", {"times": None}, "UnknownStatusError"),
    ],
)
def test_a_bad_ending_fails_for_good_with_its_name(
    sandbox: Sandbox, mode: str, kind: str, rule: dict[str, Any], name: str
) -> None:
    client = client_for(sandbox)
    request_id = created(client, sandbox)
    sandbox.fault(kind, request=request_id, **rule)
    client.start(request_id)
    with pytest.raises(AirflowFailException, match=name) as raised:
        run(sensor(SentinelHubBatchSensor, mode, request_id))
    assert isinstance(raised.value.__cause__, BatchError)
    assert rule.get("error", "") in str(raised.value)


@pytest.mark.parametrize("mode", MODES)
def test_a_request_stopped_by_a_person(sandbox: Sandbox, mode: str) -> None:
    sandbox.steer(processing={"seconds": 600})
    client = client_for(sandbox)
    request_id = created(client, sandbox)
    client.start(request_id)
    sandbox.wait(lambda: client.get(request_id).status == "PROCESSING")
    client.stop(request_id)
    with pytest.raises(AirflowFailException, match=r"BatchStoppedByUserError.*30 minutes"):
        run(sensor(SentinelHubBatchSensor, mode, request_id))


@pytest.mark.parametrize("mode", MODES)
def test_a_request_that_was_forgotten(sandbox: Sandbox, started: str, mode: str) -> None:
    sandbox.expire_request(started)
    with pytest.raises(AirflowFailException, match="BatchExpiredError"):
        run(sensor(SentinelHubBatchSensor, mode, started))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kind", "rule", "words"),
    [
        ("tile_failure", {"count": 2, "error": "planted reason"}, r"2 of 4 tiles.*planted reason"),
        ("bucket_denied", {"phase": "processing"}, r"4 of 4 tiles|FAILED"),
    ],
)
def test_done_with_failed_tiles_is_no_success(
    sandbox: Sandbox, mode: str, kind: str, rule: dict[str, Any], words: str
) -> None:
    client = client_for(sandbox)
    sandbox.fault(kind, **rule)
    request_id = created(client, sandbox, area=FOUR_TILES)
    client.start(request_id)
    with pytest.raises(AirflowFailException, match=words):
        run(sensor(SentinelHubTilesSensor, mode, request_id))


@pytest.mark.parametrize("mode", MODES)
def test_done_with_missing_tiles_is_no_success(sandbox: Sandbox, started: str, mode: str) -> None:
    wait_for(client_for(sandbox), started)
    gone = next(key for key in sandbox.keys(f"tests/{started}/") if key.endswith("NDVI.tif"))
    sandbox.s3_client().delete_object(Bucket=sandbox.bucket, Key=gone)
    with pytest.raises(AirflowFailException, match=f"1 of 4 tiles.*{gone.split('/')[-2]}.*not on the bucket"):
        run(sensor(SentinelHubTilesSensor, mode, started))


@pytest.mark.parametrize("mode", MODES)
def test_tiles_without_data_are_left_out(sandbox: Sandbox, mode: str) -> None:
    client = client_for(sandbox)
    sandbox.fault("tile_no_data", count=1)
    request_id = created(client, sandbox, area=FOUR_TILES)
    client.start(request_id)
    tiles, _ = run(sensor(SentinelHubTilesSensor, mode, request_id))
    assert len(tiles) == 3


@pytest.mark.parametrize("mode", MODES)
def test_passing_faults_are_waited_out(sandbox: Sandbox, started: str, mode: str) -> None:
    sandbox.fault("server_error", method="GET", path="/process/*", times=1)
    sandbox.fault("drop", method="GET", path="/process/*", when="after", times=1)
    sandbox.fault("garbage", method="GET", path="/process/*", times=1)
    sandbox.fault("rate_limit", method="GET", path="/process/*", times=2, retry_after_ms=100)
    result, _ = run(sensor(SentinelHubBatchSensor, mode, started))
    assert result == started


@pytest.mark.parametrize("mode", MODES)
def test_a_token_that_expires_while_waiting(sandbox: Sandbox, started: str, mode: str) -> None:
    sandbox.steer(token_lifetime=1)
    sandbox.expire_tokens()
    assert run(sensor(SentinelHubBatchSensor, mode, started))[0] == started


@pytest.mark.parametrize("mode", MODES)
def test_the_timeout_leaves_the_request_alone(sandbox: Sandbox, mode: str) -> None:
    sandbox.steer(processing={"seconds": 600})
    client = client_for(sandbox)
    request_id = created(client, sandbox)
    client.start(request_id)
    with pytest.raises(AirflowSensorTimeout):
        run(sensor(SentinelHubBatchSensor, mode, request_id, timeout=1.5))
    assert sandbox.journal()["requests"][request_id]["stops"] == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_secret_is_said_at_once(
    sandbox: Sandbox, started: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = sandbox.connections["AIRFLOW_CONN_SENTINELHUB_DEFAULT"]
    wrong = connection.replace(sandbox.client_secret, "planted-wrong-secret")
    monkeypatch.setenv("AIRFLOW_CONN_SENTINELHUB_DEFAULT", wrong)
    with pytest.raises(AirflowFailException, match="AuthenticationError") as raised:
        run(sensor(SentinelHubBatchSensor, mode, started))
    assert "planted-wrong-secret" not in str(raised.value)


@pytest.mark.parametrize("mode", MODES)
def test_only_what_can_be_waited_for_is_waited_for(sandbox: Sandbox, mode: str) -> None:
    with pytest.raises(AirflowFailException, match="target_status"):
        run(sensor(SentinelHubBatchSensor, mode, "r", target_status="FINISHED"))


def test_somebody_elses_event_is_refused(sandbox: Sandbox, started: str) -> None:
    waiting = sensor(SentinelHubBatchSensor, "deferrable", started)
    with pytest.raises(AirflowFailException, match="fired for batch request other"):
        waiting.execute_complete(context(), {"request_id": "other", "why": "reached", "deadline": 0})


@pytest.mark.parametrize("mode", MODES)
def test_the_progress_is_logged_when_it_changes(
    sandbox: Sandbox, started: str, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.steer(processing={"seconds": 3})
    within = context()
    run(sensor(SentinelHubBatchSensor, mode, started), within)
    said = re.findall(rf"Batch request {started}: (.*? spent)", capsys.readouterr().out)
    assert any(re.fullmatch(r"PROCESSING, \d+ %, [\d.]+ PU spent", words) for words in said), said
    polls = sum(started in call["path"] and call["method"] == "GET" for call in sandbox.journal()["calls"])
    # Worker and trigger each say where the request is when they take over.
    assert len(said) <= len(set(said)) + (2 if mode == "deferrable" else 0)
    assert len(said) < polls


# --- the trigger ---


def trigger_for(sandbox: Sandbox, request_id: str, **options: Any) -> SentinelHubBatchTrigger:
    arguments = {
        "target_status": "DONE",
        "poll_interval": 0.2,
        "sentinelhub_conn_id": "sentinelhub_default",
        "deadline": time.time() + 60,
    }
    return SentinelHubBatchTrigger(request_id=request_id, **{**arguments, **options})


def test_a_trigger_is_its_constructor() -> None:
    trigger = SentinelHubBatchTrigger(
        request_id="r", target_status="DONE", sentinelhub_conn_id="c", poll_interval=7.5, deadline=1e9
    )
    assert across(trigger).serialize() == trigger.serialize()
    assert vars(across(trigger)).keys() == vars(trigger).keys()


def test_no_secret_crosses_into_the_triggers_row(sandbox: Sandbox, started: str) -> None:
    row = repr(trigger_for(sandbox, started).serialize())
    assert not [secret for secret in secrets_of(sandbox) if secret in row]


def test_the_event_loop_is_free_while_many_triggers_wait(sandbox: Sandbox) -> None:
    """A neighbour ticks every 10 ms, undisturbed by slow answers and by the look-up of a connection."""
    sandbox.steer(processing={"seconds": 600}, latency_seconds=0.3)
    client = client_for(sandbox)
    request_id = created(client, sandbox)
    client.start(request_id)
    longest = 0.0

    async def neighbour() -> None:
        nonlocal longest
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.01)
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now

    async def main() -> None:
        waits = [
            asyncio.create_task(_drain(trigger_for(sandbox, request_id, deadline=time.time() + 4)))
            for _ in range(30)
        ]
        watch = asyncio.create_task(neighbour())
        events = await asyncio.gather(*waits)
        watch.cancel()
        assert {event["why"] for event in events} == {"deadline"}

    asyncio.run(main())
    # A blocked loop would miss a whole answer, 300 ms; a busy machine is late by much less.
    assert longest < 0.25, longest


def test_the_connection_is_read_once_for_many_triggers(
    sandbox: Sandbox, started: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_sentinelhub.hooks import sentinelhub

    reads = 0
    real = sentinelhub.client_of

    def counted(*arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        return real(*arguments)

    monkeypatch.setattr(sentinelhub, "client_of", counted)

    async def main() -> list[Any]:
        return await asyncio.gather(*(_drain(trigger_for(sandbox, started)) for _ in range(10)))

    assert {event["why"] for event in asyncio.run(main())} == {"reached"}
    assert reads == 1


def test_a_missing_connection_wakes_the_worker_that_says_so(sandbox: Sandbox, started: str) -> None:
    event = asyncio.run(_drain(trigger_for(sandbox, started, sentinelhub_conn_id="nowhere")))
    assert event["why"] == "failing"
    waiting = sensor(SentinelHubBatchSensor, "deferrable", started, sentinelhub_conn_id="nowhere")
    with pytest.raises(AirflowException, match="nowhere"):
        waiting.execute_complete(context(), event)


def test_a_trigger_looks_an_interval_after_the_worker(
    sandbox: Sandbox, started: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow fails a task that runs again before the scheduler has heard of its deferral."""
    sandbox.clear_journal()
    pauses: list[tuple[float, int]] = []

    async def sleep(seconds: float) -> None:
        pauses.append((seconds, len(answers(sandbox, "GET", started))))

    monkeypatch.setattr(polling, "asyncio", SimpleNamespace(sleep=sleep))
    asyncio.run(_drain(trigger_for(sandbox, started, poll_interval=7)))
    assert pauses[0] == (7, 0)


async def _drain(trigger: SentinelHubBatchTrigger) -> Any:
    async for event in trigger.run():
        return event.payload
    return None
