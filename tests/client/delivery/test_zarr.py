"""A Zarr delivery is held against its plan as far as Zarr lets anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import box, client_for, created, wait_for

from airflow_provider_sentinelhub.client.definition import BucketKeys, Delivery, Zarr
from airflow_provider_sentinelhub.client.delivery.ledger import open_ledger
from airflow_provider_sentinelhub.client.delivery.repair import Repair, repair_definition
from airflow_provider_sentinelhub.client.delivery.report import DeliveryPolicy
from airflow_provider_sentinelhub.client.errors import IncompleteDeliveryError, RepairError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox_driver import Sandbox

# Four tiles of one degree, 125 pixels a side.
FOUR_DEGREES = box(10.2, 45.2, 11.8, 46.5)


@pytest.fixture(params=["topLeft", "bottomLeft"])
def delivered(sandbox: Sandbox, request: pytest.FixtureRequest) -> Callable[[], tuple[str, Any]]:
    """Return a function that has a Zarr of four tiles delivered: its prefix and its request."""

    def deliver() -> tuple[str, Any]:
        client = client_for(sandbox)
        request_id = created(
            client,
            sandbox,
            area=FOUR_DEGREES,
            tiling_grid_id=3,
            resolution=0.008,
            delivery=Delivery(
                f"s3://{sandbox.bucket}/tests/<requestId>", BucketKeys(sandbox.access_key, sandbox.secret_key)
            ),
            time_range=("2024-06-01", "2024-06-06"),
            zarr=Zarr(
                array_parameters={"dtype": "<f4", "chunks": [1, 25, 125], "fill_value": "NaN"},
                group={"zarr_format": 2, "coordinates": {"origin": request.param}},
            ),
        )
        client.start(request_id)
        return f"tests/{request_id}", wait_for(client, request_id)

    return deliver


def test_every_tile_is_found(sandbox: Sandbox, delivered: Any) -> None:
    prefix, request = delivered()
    with open_ledger(sandbox.s3_client(), request) as ledger:
        assert ledger.report.complete
        assert ledger.report.counts() | {"bytes": 0} == {
            "expected": 4,
            "delivered": 4,
            **dict.fromkeys(("no_data", "blank", "failed", "pending", "missing", "unexpected", "bytes"), 0),
        }
        tiles = [tile.to_record() for tile in ledger.tiles()]
    assert [tile["name"] for tile in tiles] == ["N45E010", "N45E011", "N46E010", "N46E011"]
    assert tiles[0]["bounds"] == [10, 45, 11, 46]
    assert {tile["outputs"]["NDVI"] for tile in tiles} == {f"s3://{sandbox.bucket}/{prefix}/NDVI"}


def test_what_may_be_lost_is_said(sandbox: Sandbox, delivered: Any) -> None:
    """The chunks of one tile are removed: blank, as nobody can tell that from fill values."""
    sandbox.fault("tile_failure", names=["N46E010"], error="planted reason")
    prefix, request = delivered()
    upwards = request.definition["output"]["group"]["coordinates"]["origin"] == "bottomLeft"
    chunks = [key for key in sandbox.keys(f"{prefix}/NDVI/") if key.rsplit("/", 1)[1][0].isdigit()]
    # N45E011 is the lower right tile: five rows of chunks, the second column.
    rows = range(0, 5) if upwards else range(5, 10)
    gone = [key for key in chunks if key.rsplit("/", 1)[1] in [f"0.{row}.1" for row in rows]]
    assert len(gone) == 5
    for key in gone:
        sandbox.s3_client().delete_object(Bucket=sandbox.bucket, Key=key)
    with open_ledger(sandbox.s3_client(), request) as ledger:
        report = ledger.report
        assert (report.delivered, report.failed, report.blank) == (2, 1, 1)
        assert [tile.name for tile in ledger.tiles()] == ["N45E010", "N46E011"]
        assert [str(tile) for tile in ledger.lost()] == ["N46E010 (failed: FATAL: planted reason)"]
        assert "hold only fill values in Zarr, or were lost" in report.table()
        DeliveryPolicy(max_failed_tiles=1).check(report)
        with pytest.raises(IncompleteDeliveryError, match="1 of 4 tiles hold no data"):
            DeliveryPolicy(max_failed_tiles=1, no_data="fail").check(report)
        with pytest.raises(RepairError, match="delivers Zarr"):
            repair_definition(sandbox.s3_client(), ledger, Repair(1, request.id), None)


def test_a_lost_array_is_missed(sandbox: Sandbox, delivered: Any) -> None:
    prefix, request = delivered()
    sandbox.s3_client().delete_object(Bucket=sandbox.bucket, Key=f"{prefix}/NDVI/.zarray")
    with open_ledger(sandbox.s3_client(), request) as ledger:
        assert (ledger.report.delivered, ledger.report.missing) == (0, 4)
        assert "NDVI is not on the bucket" in str(next(ledger.lost()))
