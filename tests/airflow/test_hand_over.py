"""What the tiles sensor hands over, and tells the assets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.exceptions import AirflowFailException
from airflow_runner import MODES, context, run
from support import FOUR_TILES, client_for, created, wait_for

from airflow_provider_sentinelhub.client.errors import UnreadableDeliveryError
from airflow_provider_sentinelhub.hooks.delivery import read_tiles
from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_provider_sentinelhub.sensors.tiles import SentinelHubTilesSensor

if TYPE_CHECKING:
    from sandbox_driver import Sandbox

DELIVERIES = Asset("deliveries")
PLACES = AssetAlias("places")


@pytest.fixture
def delivered(sandbox: Sandbox) -> str:
    client = client_for(sandbox)
    request_id = created(client, sandbox, area=FOUR_TILES)
    client.start(request_id)
    wait_for(client, request_id)
    return request_id


def sensor(request_id: str, mode: str = "poke", **options: Any) -> SentinelHubTilesSensor:
    how: dict[str, Any] = (
        {"deferrable": True} if mode == "deferrable" else {"mode": mode, "deferrable": False}
    )
    return SentinelHubTilesSensor(
        task_id="tiles", request_id=request_id, poll_interval=0.1, timeout=60, **how, **options
    )


@pytest.mark.parametrize("mode", MODES)
def test_more_tiles_than_airflow_maps_over_come_in_chunks(
    delivered: str, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    tiles, _ = run(sensor(delivered, mode))
    assert [read_tiles(tile) for tile in tiles] == [[tile] for tile in tiles]
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "3")
    chunks, _ = run(sensor(delivered, mode))
    assert len(chunks) == 1
    assert read_tiles(chunks[0]) == tiles
    # No more chunks than Airflow maps over, however small they are asked for.
    chunks, _ = run(sensor(delivered, mode, chunk_size=1))
    assert [chunk["tiles"] for chunk in chunks] == [2, 2]
    assert [tile for chunk in chunks for tile in read_tiles(chunk)] == tiles


def test_chunks_may_be_asked_for(delivered: str) -> None:
    chunks, _ = run(sensor(delivered, hand_over="chunks", chunk_size=1))
    assert [read_tiles(chunk)[0]["name"] for chunk in chunks] == [chunk["first"] for chunk in chunks]
    assert len(chunks) == 4
    with pytest.raises(UnreadableDeliveryError, match="no longer the index"):
        read_tiles({**chunks[0], "etag": '"0"'})


def test_the_assets_are_told(delivered: str, sandbox: Sandbox) -> None:
    within = context()
    run(sensor(delivered, outlets=[DELIVERIES, PLACES]), within)
    event = within["outlet_events"][DELIVERIES]
    report = event.extra.pop("report")
    assert event.extra == {
        "request_id": delivered,
        "delivery": f"s3://{sandbox.bucket}/tests/{delivered}",
        "cost_pu": 100,
        "time_range": {"from": "2020-07-01T00:00:00Z", "to": "2020-07-31T23:59:59Z"},
    }
    assert (report["expected"], report["delivered"]) == (4, 4)
    assert within["ti"].xcoms["report"] == report
    assert event.partition_keys == set()
    [alias_event] = within["outlet_events"][PLACES].asset_alias_events
    assert alias_event.dest_asset_key.uri == f"s3://{sandbox.bucket}/tests/{delivered}"


@pytest.mark.parametrize("by", ["tile", "chunk"])
def test_a_partition_for_each(delivered: str, by: str) -> None:
    within = context()
    items, _ = run(sensor(delivered, outlets=[DELIVERIES], asset_partitions=by, chunk_size=2), within)
    event = within["outlet_events"][DELIVERIES]
    if by == "tile":
        assert event.partition_keys == {tile["name"] for tile in items}
        return
    assert len(event.partition_keys) == 2
    # The key and the event's extra are enough to read a chunk.
    read = [read_tiles({**event.extra, "partition_key": key}) for key in event.partition_keys]
    assert sorted(len(tiles) for tiles in read) == [2, 2]


@pytest.mark.parametrize("mode", MODES)
def test_bad_arguments_are_refused_before_anything_is_waited_for(sandbox: Sandbox, mode: str) -> None:
    request_id = created(client_for(sandbox), sandbox)  # never started: it would be waited for in vain
    wrong = {"max_failed_tiles": "few", "no_data": "maybe", "hand_over": "all", "chunk_size": 0}
    with pytest.raises(AirflowFailException) as raised:
        run(sensor(request_id, mode, **wrong))
    assert all(name in str(raised.value) for name in wrong)


def test_the_delivery_of_a_forgotten_request_is_opened_by_its_folder(
    delivered: str, sandbox: Sandbox
) -> None:
    folder = f"s3://{sandbox.bucket}/tests/{delivered}"
    sandbox.expire_request(delivered)
    with SentinelHubHook().open_delivery(delivered, delivery=folder) as delivery:
        assert delivery.report.complete
        assert delivery.report.delivery == folder
