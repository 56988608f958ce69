"""A sandbox that is killed, or ended, and started again on the same data."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.batch_calls import Batch, error
from sandbox_driver import Sandbox


@pytest.fixture(scope="module")
def mortal_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that nobody else uses."""
    with Sandbox(tmp_path_factory.mktemp("mortal")) as sandbox:
        yield sandbox


@pytest.fixture
def own(mortal_sandbox: Sandbox) -> Batch:
    """Its API; the test may kill it."""
    if not mortal_sandbox.is_running:
        mortal_sandbox.start()
    mortal_sandbox.reset()
    return Batch(mortal_sandbox)


def children(pid: int) -> list[int]:
    """Return the processes below a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # gone meanwhile
                continue
            if parent == pid:
                found += [int(entry.name), *children(int(entry.name))]
    return found


def alive(pid: int) -> bool:
    """Tell whether a process runs, zombies not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_sandbox_goes_on_where_it_was_and_bills_each_tile_once(own: Batch) -> None:
    sandbox = own.sandbox
    analysed, waiting = own.create(), own.create()
    sandbox.steer(analysis={"seconds": 10_000})
    own.accept(waiting, "analyse")
    own.until(waiting, "ANALYSING")
    sandbox.steer(analysis={"seconds": 0}, processing={"tile_seconds": 1000}, balance_pu=50_000)
    own.accept(analysed, "analyse")
    own.until(analysed, "ANALYSIS_DONE")
    request_id = own.started(tiles=6)
    own.until(request_id, "PROCESSING")
    sandbox.advance(3001)
    own.renew()
    own.until_percent(request_id, 50)
    sandbox.steer(processing={"tile_seconds": 0})  # the other three begin, and are cut off somewhere
    time.sleep(0.05)
    sandbox.kill()
    connections = dict(sandbox.connections)
    sandbox.start()
    assert sandbox.connections == connections
    own.until(request_id, "DONE")  # with the token from before
    own.until(waiting, "ANALYSIS_DONE")
    assert own.get(analysed)["status"] == "ANALYSIS_DONE"
    assert len(own.tiles(request_id)) == 6
    billed = sandbox.journal()["requests"][request_id]["pu"]
    assert billed == pytest.approx(100)  # the tiles' own price is below the minimum
    assert sandbox.steer()["balance_pu"] == pytest.approx(50_000 - 100)


def test_tiles_are_billed_once_over_many_kills(own: Batch) -> None:
    sandbox = own.sandbox
    sandbox.fault("out_of_pu", after_tiles=6)
    sandbox.steer(processing={"tile_seconds": 0.3})
    request_id = own.started(tiles=7)
    own.until(request_id, "PROCESSING")
    for _ in range(2):
        time.sleep(0.5)
        sandbox.kill()
        sandbox.start()
    task = own.until(request_id, "STOPPED")
    [price] = {round(task["costPU"] / 6, 6)}
    assert price == pytest.approx(250_000 / 512**2 * 2 / 3 * 2 / 3, rel=1e-4)


def test_settings_faults_clock_and_accounts_survive(own: Batch) -> None:
    sandbox = own.sandbox
    sandbox.steer(page_size=5, token_lifetime=100)
    number = sandbox.fault("server_error", times=3, path="/tilinggrids")
    assert own.call("GET", "/tilinggrids").status_code == 503
    sandbox.fault("tile_failure")
    sandbox.add_account("second", "its-secret")
    sandbox.advance(5000)
    own.renew()
    created = own.create()
    settings, rules, before = sandbox.steer(), sandbox.faults(), own.get(created)
    calls = sandbox.journal()["calls"]
    sandbox.restart()
    assert sandbox.steer() == settings
    assert sandbox.faults() == rules
    assert sandbox.journal()["calls"] == calls
    assert own.get(created) == before
    assert [own.call("GET", "/tilinggrids").status_code for _ in range(3)] == [503, 503, 200]
    assert next(rule for rule in sandbox.faults() if rule["id"] == number)["hits"] == 3
    sandbox.advance(100)
    error(own.call("GET", "/process"), 401)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_no_process_outlives_the_sandbox(own: Batch, end: str) -> None:
    request_id = own.started(tiles=4)  # so that workers are busy
    own.until(request_id, "PROCESSING", "DONE")
    below = children(own.sandbox.pid)
    assert len(below) >= 4  # weed, its watcher, the fork server, a worker
    if end == "kill":
        own.sandbox.kill()
    else:
        assert own.sandbox.stop() == 0
    own.sandbox.wait(lambda: not any(map(alive, below)), timeout=10, what="all processes to end")


def test_a_worker_that_dies_is_replaced_and_its_tile_tried_again(own: Batch) -> None:
    own.sandbox.steer(processing={"tile_seconds": 0.1})
    request_id = own.started(tiles=6)
    own.until(request_id, "PROCESSING")
    [fork_server] = [
        pid
        for pid in children(own.sandbox.pid)
        if len(children(pid)) > 0 and b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    for worker in children(fork_server):
        os.kill(worker, signal.SIGKILL)
    own.until(request_id, "DONE")
    assert len(own.tiles(request_id)) == 6


def test_only_the_owner_can_read_what_is_secret(own: Batch) -> None:
    own.create()
    data = own.sandbox.data_dir
    secrets = [own.sandbox.client_secret, own.sandbox.secret_key]
    for path in data.rglob("*"):
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets):
            assert path.stat().st_mode & 0o077 == 0, path
    assert os.stat(data / "sandbox.sqlite").st_mode & 0o777 == 0o600


def test_no_answer_and_no_log_shows_a_secret(own: Batch) -> None:
    sandbox = own.sandbox
    created = own.call("POST", "/process", json=own.body(tiles=2))
    request_id = created.json()["id"]
    sandbox.fault("bucket_denied")
    own.accept(request_id, "start")
    own.until(request_id, "FAILED")
    body = own.body()
    body["output"]["delivery"]["s3"]["url"] = "s3://nowhere-at-all"
    answers = [
        created,
        own.call("POST", "/process", json=body),
        own.call("POST", "/process", json=[body]),
        own.call("PUT", f"/process/{request_id}", json={"description": "x"}),
        own.call("GET", f"/process/{request_id}"),
        own.call("GET", "/process"),
        *(
            sandbox.call("GET", f"/sandbox/{name}")
            for name in ("steering", "faults", "journal", "accounts", "clock", "health")
        ),
    ]
    for name in ("request-{}.json", "featureManifest-{}.gpkg"):
        content = sandbox.read(f"results/{request_id}/{name.format(request_id)}")
        assert sandbox.secret_key.encode() not in content
    texts = [*(answer.text for answer in answers), *map(str, (a.headers for a in answers)), sandbox.log]
    for secret in (sandbox.secret_key, sandbox.access_key, sandbox.client_secret, own.token):
        assert not any(secret in text for text in texts)
