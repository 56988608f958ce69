"""Lost tiles: named exactly, processed again by themselves, and paid for by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow_runner import StateStore, TaskInstance, run, within
from support import FOUR_TILES, box, client_for, created, wait_for
from whole_life import Task, accepted, impatience, tallies

from airflow_provider_sentinelhub.client.definition import BucketKeys, Delivery
from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_provider_sentinelhub.operators.repair import SentinelHubRepairBatchOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_driver import Sandbox

MODES = (False, True)
# Forty tiles of grid 0, 20 km each.
FORTY_TILES = box(-118.85, 35.6, -117.15, 36.25)


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    with impatience():
        yield


def repair(request_id: str, task: Task | None = None, **options: Any) -> Any:
    """Run a repair operator as one attempt of a task."""
    instance = TaskInstance()
    store = StateStore()
    if task is not None:
        task.tries += 1
        instance.run_id, instance.try_number, store = task.run_id, task.tries, task.store
    operator = SentinelHubRepairBatchOperator(
        task_id="task",
        request_id=request_id,
        **{"delivery_aws_conn_id": "aws_default", "poll_interval": 0.1, "timeout": 120, **options},
    )
    return run(operator, within(instance, store), 120)[0]


def done(sandbox: Sandbox, **changes: Any) -> str:
    client = client_for(sandbox)
    request_id = created(client, sandbox, **changes)
    client.start(request_id)
    wait_for(client, request_id, seconds=120)
    return request_id


def remove(sandbox: Sandbox, *keys: str) -> None:
    for key in keys:
        sandbox.s3_client().delete_object(Bucket=sandbox.bucket, Key=key)


def written(sandbox: Sandbox, prefix: str) -> dict[str, Any]:
    """Return when each object was last written."""
    pages = (
        sandbox.s3_client().get_paginator("list_objects_v2").paginate(Bucket=sandbox.bucket, Prefix=prefix)
    )
    return {item["Key"]: item["LastModified"] for page in pages for item in page.get("Contents", ())}


def test_three_of_forty_fail_and_two_are_deleted(sandbox: Sandbox) -> None:
    sandbox.fault("tile_failure", count=3, error="planted reason")
    task = Task(StateStore())
    with pytest.raises(AirflowFailException, match="3 of 40 tiles") as raised:
        task.attempt(area=FORTY_TILES, tiling_grid_id=0, resolution=60)
    request_id = task.instance.xcoms["request_id"]
    folder = f"whole/{request_id}"
    failed = [name.split(" ")[0] for name in str(raised.value).split("delivered: ")[1].split("; ")]
    files = [key for key in sandbox.keys(f"{folder}/") if key.endswith("NDVI.tif")]
    assert len(files) == 37
    remove(sandbox, files[5], files[20])
    five = sorted([*failed[:3], files[5].split("/")[-2], files[20].split("/")[-2]])

    with SentinelHubHook().open_delivery(request_id) as delivery:
        assert [tile.name for tile in delivery.lost()] == five
        report = delivery.report.counts()
    assert (report["delivered"], report["failed"], report["missing"]) == (35, 3, 2)
    with pytest.raises(AirflowFailException) as raised:
        task.attempt(area=FORTY_TILES, tiling_grid_id=0, resolution=60)
    assert "5 of 40 tiles" in str(raised.value)
    assert all(name in str(raised.value) for name in five)
    assert task.instance.xcoms["report"] == report
    assert accepted(sandbox, "creates") == 1

    sandbox.clear_faults()
    before = written(sandbox, folder)
    result = repair(request_id)

    [repair_id] = result["repairs"]
    assert (result["request_id"], result["tiles"]) == (request_id, 40)
    assert result["report"] == {
        **report,
        "delivered": 40,
        "failed": 0,
        "missing": 0,
        "bytes": result["report"]["bytes"],
    }
    assert (accepted(sandbox, "creates"), accepted(sandbox, "starts")) == (2, 2)
    # Five were rendered and billed, nothing else was touched.
    assert tallies(sandbox)[request_id]["tiles_billed"] == 37
    assert tallies(sandbox)[repair_id]["tiles_billed"] == 5
    rewritten = {key for key, when in written(sandbox, folder).items() if before.get(key) != when}
    tiles = {key for key in rewritten if key.endswith(".tif")}
    assert tiles == {f"{folder}/{name}/NDVI.tif" for name in five}
    # A newly opened report knows of the repair.
    with SentinelHubHook().open_delivery(request_id) as delivery:
        assert delivery.report.complete
        assert delivery.report.repairs == (repair_id,)
        assert len(list(delivery.tiles())) == 40


def test_a_repaired_tile_is_the_tile_that_was_lost(sandbox: Sandbox) -> None:
    request_id = done(sandbox, area=FOUR_TILES)
    keys = [key for key in sandbox.keys(f"tests/{request_id}/") if key.endswith("NDVI.tif")]
    before = sandbox.read(keys[0])
    remove(sandbox, keys[0])
    repair(request_id)
    assert sandbox.read(keys[0]) == before


@pytest.mark.parametrize("deferrable", MODES)
def test_the_operator_repairs_by_itself(sandbox: Sandbox, deferrable: bool) -> None:
    sandbox.fault("tile_failure", count=2)
    task = Task(StateStore())
    result = task.attempt(area=FOUR_TILES, repair_attempts=1, deferrable=deferrable)
    assert (result["tiles"], len(result["repairs"])) == (4, 1)
    assert result["cost_pu"] == 200
    # Another attempt takes the result.
    assert task.attempt(area=FOUR_TILES, repair_attempts=1, deferrable=deferrable) == result
    assert accepted(sandbox, "starts") == 2


def test_repairs_end(sandbox: Sandbox) -> None:
    sandbox.fault("tile_failure", names=["11SKV_9_0"], times=None)
    task = Task(StateStore())
    with pytest.raises(AirflowFailException, match="1 of 1 tiles"):
        task.attempt(repair_attempts=2)
    assert accepted(sandbox, "starts") == 3
    # Tried again, it pays for no more; told to, it goes on.
    with pytest.raises(AirflowFailException, match="1 of 1 tiles"):
        task.attempt(repair_attempts=2)
    assert accepted(sandbox, "starts") == 3
    sandbox.clear_faults()
    assert task.attempt(repair_attempts=3)["tiles"] == 1
    assert accepted(sandbox, "starts") == 4


def test_what_is_allowed_to_fail_is_not_repaired(sandbox: Sandbox) -> None:
    sandbox.fault("tile_failure", count=1)
    result = Task(StateStore()).attempt(area=FOUR_TILES, max_failed_tiles="25%", repair_attempts=5)
    assert (result["tiles"], result["report"]["failed"], result["repairs"]) == (3, 1, [])
    assert accepted(sandbox, "starts") == 1


def test_with_nothing_lost_nothing_is_paid(sandbox: Sandbox) -> None:
    request_id = done(sandbox)
    assert repair(request_id)["repairs"] == []
    assert accepted(sandbox, "creates") == 1


def test_a_repair_that_died_is_found_again(sandbox: Sandbox) -> None:
    """The list beside the delivery was not yet written: its mark is all there is."""
    request_id = done(sandbox, area=FOUR_TILES)
    keys = [key for key in sandbox.keys(f"tests/{request_id}/") if key.endswith("NDVI.tif")]
    remove(sandbox, keys[0])
    sandbox.steer(processing={"seconds": 3600})
    task = Task(StateStore())
    with pytest.raises(AirflowFailException, match="BatchTimeoutError"):
        repair(request_id, task, timeout=2, cancel_on_kill=False)
    remove(sandbox, f"tests/{request_id}/repairs-{request_id}.json")
    sandbox.steer(processing={"seconds": 0})
    assert repair(request_id, task)["tiles"] == 4
    assert (accepted(sandbox, "creates"), accepted(sandbox, "starts")) == (2, 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"buffer": (10, 10)},
        {"delivery": "<requestId>/<tileName>_<outputId>_<tileId>.<format>"},
        {"outputs": ["NDVI"], "delivery": "shared/<requestId>/<outputId>/<tileName>.<format>"},
    ],
)
def test_every_layout_is_repaired_in_place(sandbox: Sandbox, changes: dict[str, Any]) -> None:
    if "delivery" in changes:
        url = f"s3://{sandbox.bucket}/layouts/{changes['delivery']}"
        changes = {**changes, "delivery": Delivery(url, BucketKeys(sandbox.access_key, sandbox.secret_key))}
    request_id = done(sandbox, area=FOUR_TILES, **changes)
    keys = [key for key in sandbox.keys("") if request_id in key and key.endswith(".tif")]
    before = sandbox.read(keys[1])
    remove(sandbox, keys[1])
    assert repair(request_id)["tiles"] == 4
    assert sandbox.read(keys[1]) == before
    assert sorted(tally["tiles_billed"] for tally in tallies(sandbox).values()) == [1, 4]


def test_only_what_has_ended_is_repaired(sandbox: Sandbox) -> None:
    request_id = created(client_for(sandbox), sandbox)
    with pytest.raises(AirflowFailException, match=r"RepairError.*is not DONE \(CREATED"):
        repair(request_id)
    assert accepted(sandbox, "starts") == 0


def test_without_keys_nothing_is_created(sandbox: Sandbox) -> None:
    request_id = done(sandbox)
    [key] = [key for key in sandbox.keys(f"tests/{request_id}/") if key.endswith("NDVI.tif")]
    remove(sandbox, key)
    with pytest.raises(AirflowFailException, match=r"RepairError.*delivery_aws_conn_id"):
        repair(request_id, delivery_aws_conn_id=None, aws_conn_id="aws_default")
    with pytest.raises(AirflowFailException, match=r"aws_conn_id: is missing"):
        repair(request_id, delivery_aws_conn_id=None)
    assert accepted(sandbox, "creates") == 1
