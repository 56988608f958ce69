"""The sensor that waits for imagery, in each mode: the same scenes give the same result or error."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout
from airflow_runner import MODES, across, context, first_event, run
from sandbox_driver import Sandbox
from support import ONE_TILE, client_for, secrets_of

from airflow_provider_sentinelhub.client.catalog import CatalogClient, SceneQuery, WantedScenes
from airflow_provider_sentinelhub.hooks import sentinelhub as hook_module
from airflow_provider_sentinelhub.sensors.catalog import SentinelHubCatalogSensor
from airflow_provider_sentinelhub.triggers.catalog import SentinelHubCatalogTrigger

JULY = ("2020-07-01", "2020-07-31")
NEVER = ("1999-01-01", "1999-12-31")


def sensor(mode: str, **options: Any) -> SentinelHubCatalogSensor:
    how: dict[str, Any] = (
        {"deferrable": True} if mode == "deferrable" else {"mode": mode, "deferrable": False}
    )
    defaults: dict[str, Any] = {"area": ONE_TILE, "time_range": JULY, "poll_interval": 0.3, "timeout": 60}
    return SentinelHubCatalogSensor(task_id="wait", **{**defaults, **how, **options})


def searches(sandbox: Sandbox) -> list[int]:
    return [call["status"] for call in sandbox.journal()["calls"] if "catalog" in call["path"]]


def expected(sandbox: Sandbox, **of: Any) -> dict[str, Any]:
    wanted = WantedScenes(query=SceneQuery(**{"area": ONE_TILE, "time_range": JULY, **of}))
    return wanted.look(CatalogClient(client_for(sandbox).session))[0].to_record()


@pytest.mark.parametrize("mode", MODES)
def test_what_is_there_is_returned_at_once(sandbox: Sandbox, mode: str) -> None:
    conditions = {"min_scenes": "3", "min_coverage": 100, "max_cloud_coverage": "60"}
    waiting, within = sensor(mode, **conditions, collection="S2 L1C"), context()
    result, released = run(waiting, within)
    assert result == expected(sandbox, collection="sentinel-2-l1c", max_cloud_coverage=60)
    assert result["count"] >= 3
    assert released == 0
    rendered = {name: getattr(waiting, name) for name in waiting.template_fields}
    kept = json.dumps([result, within["ti"].xcoms, within["task_state_store"].values, rendered])
    assert not [secret for secret in secrets_of(sandbox) if secret in kept]


@pytest.fixture(scope="module")
def moving() -> Iterator[Sandbox]:
    """A sandbox of its own, whose clock may be moved."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.mark.parametrize("mode", MODES)
def test_imagery_that_arrives_is_waited_for(
    moving: Sandbox, mode: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in moving.connections.items():
        monkeypatch.setenv(name, value)
    moving.clear_journal()
    now = datetime.fromisoformat(moving.call("GET", "/sandbox/clock").json()["now"].replace("Z", "+00:00"))
    span = (now, now + timedelta(days=40))

    def arrive() -> None:
        moving.wait(lambda: len(searches(moving)) >= 2)
        moving.advance(30 * 86_400)

    weather = threading.Thread(target=arrive)
    weather.start()
    result, released = run(sensor(mode, time_range=span, min_coverage=99.9))
    weather.join()
    assert result == expected(moving, time_range=span)
    assert result["count"] > 0
    assert result["coverage"] >= 99.9
    assert (released > 0) is (mode != "poke")
    assert len(searches(moving)) >= 3
    assert "no scenes" in capsys.readouterr().out


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "lacking",
    [{"min_scenes": 1000}, {"min_coverage": 50, "time_range": NEVER}, {"max_age": 3600}],
    ids=["scenes", "coverage", "age"],
)
def test_the_timeout(sandbox: Sandbox, mode: str, lacking: dict[str, Any]) -> None:
    with pytest.raises(AirflowSensorTimeout):
        run(sensor(mode, timeout=0.7, **lacking))


def test_the_timeout_says_what_is_lacking(sandbox: Sandbox) -> None:
    words = r"after 1 s: 12 scenes, .* on 100 % of the area; the newest is older than 1 day"
    with pytest.raises(AirflowSensorTimeout, match=words):
        run(sensor("deferrable", timeout=1, max_age=timedelta(days=1)))


@pytest.mark.parametrize("mode", MODES)
def test_what_there_is_is_logged_when_it_changes(
    sandbox: Sandbox, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AirflowSensorTimeout):
        run(sensor(mode, timeout=2, max_age=3600))
    looks, said = len(searches(sandbox)), capsys.readouterr().out.count("The Catalog lists 12 scenes")
    # Worker and trigger each say it when they take over.
    assert said <= (2 if mode == "deferrable" else 1) < looks


@pytest.mark.parametrize("mode", MODES)
def test_everything_wrong_is_said_before_anything_is_asked(sandbox: Sandbox, mode: str) -> None:
    wrong = {"area": "POINT (1 2)", "time_range": "never", "min_coverage": 200, "max_age": "old"}
    with pytest.raises(
        AirflowFailException, match="DefinitionError: The search cannot work, 4 faults"
    ) as raised:
        run(sensor(mode, **wrong))
    for name in wrong:
        assert f"- {name}: " in str(raised.value)
    assert searches(sandbox) == []


@pytest.mark.parametrize("mode", MODES)
def test_passing_faults_are_waited_out(sandbox: Sandbox, mode: str) -> None:
    where = {"path": "/v1/catalog/search"}
    # Once in the worker, and once more where it is waited.
    for _ in range(2):
        sandbox.fault("rate_limit", times=1, retry_after_ms=100, **where)
        sandbox.fault("server_error", times=1, body="html", **where)
    sandbox.fault("drop", when="after", skip=3, **where)
    sandbox.fault("garbage", skip=3, **where)
    with pytest.raises(AirflowSensorTimeout):
        run(sensor(mode, time_range=NEVER, timeout=8))
    assert sorted(set(searches(sandbox))) == [0, 200, 429, 503]
    assert run(sensor(mode))[0] == expected(sandbox)


@pytest.mark.parametrize("mode", MODES)
def test_a_refusal_fails_for_good(sandbox: Sandbox, mode: str) -> None:
    sandbox.steer(balance_pu=0)
    with pytest.raises(AirflowFailException, match="PermissionDeniedError"):
        run(sensor(mode))
    sandbox.reset()
    with pytest.raises(AirflowFailException, match=r"NotFoundError: Searching the Catalog: Collection"):
        run(sensor(mode, collection="landsat-ot-l2"))


def test_a_refusal_while_waiting_wakes_the_worker_that_says_so(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.fault("client_error", path="/v1/catalog/search", times=None, skip=2, message="planted reason")
    with pytest.raises(AirflowFailException, match=r"InvalidRequestError.*planted reason"):
        run(sensor("deferrable", time_range=NEVER))
    assert len(searches(sandbox)) == 5


# --- the trigger ---


def trigger(**options: Any) -> SentinelHubCatalogTrigger:
    query = SceneQuery(area=ONE_TILE, time_range=options.pop("time_range", JULY), max_cloud_coverage=80)
    arguments: dict[str, Any] = {
        "wanted": WantedScenes(query=query, min_coverage=100, max_age=1e9).to_record(),
        "sentinelhub_conn_id": "sentinelhub_default",
        "poll_interval": 0.3,
        "deadline": time.time() + 60,
    }
    return SentinelHubCatalogTrigger(**{**arguments, **options})


def test_a_trigger_is_its_constructor(sandbox: Sandbox) -> None:
    one = trigger()
    assert across(one).serialize() == one.serialize()
    assert vars(across(one)).keys() == vars(one).keys()
    row = repr(one.serialize())
    assert not [secret for secret in secrets_of(sandbox) if secret in row]


def test_it_fires_when_the_scenes_are_there_or_the_deadline_is(sandbox: Sandbox) -> None:
    assert asyncio.run(first_event(across(trigger())))["why"] == "found"
    end = time.time() + 0.5
    event = asyncio.run(first_event(across(trigger(time_range=NEVER, deadline=end))))
    assert event == {"why": "deadline", "deadline": end}
    # The deadline is absolute: a triggerer that comes back late does not begin anew.
    sandbox.clear_journal()
    assert asyncio.run(first_event(across(trigger(deadline=end))))["why"] == "deadline"
    assert searches(sandbox) == []


def test_a_missing_connection_wakes_the_worker_that_says_so(sandbox: Sandbox) -> None:
    event = asyncio.run(first_event(trigger(sentinelhub_conn_id="nowhere")))
    assert event["why"] == "failing"
    within: Any = context()
    with pytest.raises(AirflowException, match="nowhere"):
        sensor("deferrable", sentinelhub_conn_id="nowhere").execute_complete(within, event)


def test_a_secret_that_was_changed_meanwhile_is_read_again(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "AIRFLOW_CONN_SENTINELHUB_DEFAULT"
    good = sandbox.connections[name]
    reads = []
    real = hook_module.client_of

    def counted(connection: Any, *others: Any) -> Any:
        reads.append(connection.password)
        # From the second look on it is right.
        monkeypatch.setenv(name, good)
        return real(connection, *others)

    monkeypatch.setattr(hook_module, "client_of", counted)
    monkeypatch.setenv(name, good.replace(sandbox.client_secret, "planted-wrong-secret"))
    assert asyncio.run(first_event(trigger()))["why"] == "found"
    assert reads == ["planted-wrong-secret", sandbox.client_secret]


def test_the_event_loop_is_free_while_many_triggers_wait(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A neighbour ticks every 10 ms, undisturbed by slow answers and by the joining of footprints."""
    reads = 0
    real = hook_module.client_of

    def counted(*arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        return real(*arguments)

    monkeypatch.setattr(hook_module, "client_of", counted)
    asyncio.run(first_event(trigger()))  # what is imported once
    reads = 0
    sandbox.steer(latency_seconds=1.5)
    longest, ticks = 0.0, 0

    async def neighbour() -> None:
        nonlocal longest, ticks
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.01)
            now = time.perf_counter()
            longest, ticks = max(longest, now - last), ticks + 1
            last = now

    async def main() -> None:
        end = time.time() + 7
        # Each finds scenes, and too few of them.
        wanted = {**trigger().wanted, "min_scenes": 10**6}
        waits = [
            asyncio.create_task(first_event(across(trigger(wanted=wanted, deadline=end)))) for _ in range(12)
        ]
        watch = asyncio.create_task(neighbour())
        events = await asyncio.gather(*waits)
        watch.cancel()
        assert {event["why"] for event in events} == {"deadline"}

    asyncio.run(main())
    assert reads == 1
    assert len(searches(sandbox)) > 12
    # A blocked loop would miss a whole answer, 1.5 s; a busy machine is late by much less.
    assert longest < 1.2, longest
    assert ticks > 40
