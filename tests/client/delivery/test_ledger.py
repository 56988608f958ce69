"""What was planned, what is said to have been done, and what is there: never a wrong count."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from client.delivery.fakes import Delivery, done

from airflow_provider_sentinelhub.client.delivery import files
from airflow_provider_sentinelhub.client.delivery.folder import DeliveryFolder
from airflow_provider_sentinelhub.client.delivery.ledger import open_ledger
from airflow_provider_sentinelhub.client.delivery.report import DeliveryPolicy, TileReport
from airflow_provider_sentinelhub.client.errors import (
    DefinitionError,
    HalfWrittenError,
    IncompleteDeliveryError,
    UnreadableDeliveryError,
)
from airflow_provider_sentinelhub.client.models import BatchRequest, BatchStatus

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_driver import Sandbox

TILES = [f"tile_{number}" for number in range(8)]


@pytest.fixture
def delivery(sandbox: Sandbox, tmp_path: Path) -> Delivery:
    return Delivery(sandbox, tmp_path)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PAUSES", (0.01, 0.02, 0.05, 0.1))


def report_of(delivery: Delivery, status: str = "DONE") -> TileReport:
    with open_ledger(delivery.s3, delivery.request(status)) as ledger:
        return ledger.report


def test_everything_is_counted_once(delivery: Delivery) -> None:
    states: list[tuple[str, str, Any]] = [
        ("tile_0", "DONE", None),
        ("tile_1", "DONE", "No data"),
        ("tile_2", "FATAL", "no memory"),
        ("tile_3", "PENDING", None),
        ("tile_4", "DONE", None),
        ("tile_5", "DONE", None),
        ("tile_6", "EXPLODED", None),  # nobody has heard of it: none of success
        ("tile_7", "DONE", "warning: slow"),
    ]
    delivery.put_records(delivery.plan(TILES), delivery.account(states))
    delivery.put_tiles(["tile_0", "tile_7", "tile_2"], content=b"12345")
    delivery.put_tiles(["tile_4"], ["NDVI"])
    delivery.put_tiles(["tile_5"], content=b"")
    delivery.put("tile_0/NDVI.tif.aux.xml", b"x")
    delivery.put(f"request-{delivery.id}.json", b"{}")

    with open_ledger(delivery.s3, delivery.request()) as ledger:
        report = ledger.report
        tiles = [tile.to_record() for tile in ledger.tiles()]
        lost = [str(tile) for tile in ledger.lost()]

    assert report.counts() == {
        "expected": 8,
        "delivered": 2,
        "no_data": 1,
        "blank": 0,
        "failed": 2,
        "pending": 1,
        "missing": 2,
        "unexpected": 1,
        "bytes": 20,
    }
    assert lost == [
        "tile_2 (failed: FATAL: no memory)",
        "tile_3 (pending: NDVI is not on the bucket, mask is not on the bucket)",
        "tile_4 (missing: mask is not on the bucket)",
        "tile_5 (missing: NDVI is an empty file, mask is an empty file)",
        "tile_6 (failed: EXPLODED)",
    ]
    assert [share.name for share in report.outputs] == ["NDVI", "mask"]
    assert [(share.name, share.expected, share.delivered, share.bytes) for share in report.crs] == [
        ("EPSG:32611", 16, 4, 20)
    ]
    assert tiles[1] == {
        "name": "tile_7",
        "crs": "EPSG:32611",
        "bounds": [7000, 0, 8000, 1000],
        "width": 100,
        "height": 100,
        "outputs": {output: delivery.path("tile_7", output) for output in ("NDVI", "mask")},
    }
    assert not report.complete
    assert TileReport.from_dict(report.to_dict()) == report
    assert "EXPLODED" in report.table()


def test_random_deliveries(sandbox: Sandbox, tmp_path: Path) -> None:
    """Whatever is true of a tile, its place in the report follows from it."""
    seed = random.SystemRandom().randrange(10**6)
    for run in range(5):
        chance = random.Random(f"{seed}-{run}")
        delivery = Delivery(sandbox, tmp_path)
        names = [f"a{chance.choice('-_b/+ ')}{number}" for number in range(60)]
        expected: dict[str, str] = {}
        states, there = [], []
        for name in names:
            status = chance.choice(
                [("DONE", None), ("DONE", "No data"), ("FATAL", "x"), ("PENDING", None), None]
            )
            files_there = chance.random() < 0.6
            if status:
                states.append((name, *status))
            if files_there:
                there.append(name)
            expected[name] = (
                ("delivered" if files_there else "missing")
                if status in (None, ("DONE", None))
                else {"x": "failed", "No data": "no data"}.get(str(status[1]), "pending")
            )
        delivery.put_records(delivery.plan(names), delivery.account(states))
        delivery.put_tiles(there)
        with open_ledger(delivery.s3, delivery.request()) as ledger:
            assert [tile.name for tile in ledger.tiles()] == sorted(
                (name for name in names if expected[name] == "delivered"), key=str.encode
            ), f"seed {seed}-{run}"
            lost = {tile.name: tile.state for tile in ledger.lost()}
        wanted = {
            name: state for name, state in expected.items() if state in ("failed", "pending", "missing")
        }
        assert lost == wanted, f"seed {seed}-{run}"


def test_before_the_end_what_is_not_there_is_pending(delivery: Delivery) -> None:
    delivery.put_records(delivery.plan(TILES))
    delivery.put_tiles(TILES[:2])
    report = report_of(delivery, "PROCESSING")
    assert (report.delivered, report.pending, report.missing) == (2, 6, 0)
    # DONE with no account at all: everything was there before (skipExisting), or it is lost.
    report = report_of(delivery)
    assert (report.delivered, report.pending, report.missing) == (2, 0, 6)


def test_a_request_that_was_forgotten_is_read_by_its_folder(delivery: Delivery) -> None:
    delivery.put_records(delivery.plan(TILES), delivery.account(done(TILES)))
    delivery.put_tiles(TILES)
    folder = DeliveryFolder.parse(f"s3://{delivery.sandbox.bucket}/{delivery.prefix}")
    with open_ledger(delivery.s3, BatchRequest(id=delivery.id, status=BatchStatus.DONE), folder) as ledger:
        assert ledger.report.complete


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("which", ["manifest", "account"])
def test_a_file_that_is_cut_off(delivery: Delivery, which: str, share: float) -> None:
    records = {
        "manifest": delivery.plan(f"tile_{number}" for number in range(300)),
        "account": delivery.account(done(TILES)),
    }
    records[which] = records[which][: int(len(records[which]) * share)]
    delivery.put_records(**records)
    with pytest.raises(HalfWrittenError, match="cut off"):
        report_of(delivery)


def test_damaged_files_never_give_a_wrong_count(delivery: Delivery) -> None:
    """Bytes changed anywhere: the right count, or an error that says so."""
    names = [f"tile_{number}" for number in range(200)]
    whole = delivery.plan(names)
    delivery.put_tiles(names[:3])
    seed = random.SystemRandom().randrange(10**6)
    errors = 0
    for run in range(40):
        chance = random.Random(f"{seed}-{run}")
        torn = bytearray(whole)
        for _ in range(chance.choice([1, 10, 1000])):
            torn[chance.randrange(len(torn))] = chance.randrange(256)
        delivery.put_records(bytes(torn), delivery.account(done(names)))
        try:
            report = report_of(delivery)
        except (HalfWrittenError, UnreadableDeliveryError):
            errors += 1
        else:
            # A byte within a name or a place changes just that one.
            assert report.expected >= 199, f"seed {seed}-{run}"
            assert report.delivered <= 3, f"seed {seed}-{run}"
    assert errors > 10, f"seed {seed}"


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        (b"<html>" + b" " * 200, "not an SQLite file"),
        ("no tables", "not a GeoPackage"),
        ("no tiles", "plans no tile"),
        ("old columns", "without path"),
        ("twice", "twice"),
        ("elsewhere", "outside the bucket"),
    ],
)
def test_a_foreign_manifest(delivery: Delivery, tmp_path: Path, manifest: bytes | str, words: str) -> None:
    import sqlite3
    from contextlib import closing

    if isinstance(manifest, str):
        path = tmp_path / "foreign.gpkg"
        path.write_bytes(delivery.plan([] if manifest == "no tiles" else TILES))
        change = {
            "no tables": "DROP TABLE gpkg_contents",
            "no tiles": "SELECT 1",
            "old columns": "ALTER TABLE feature RENAME COLUMN path TO tilePath",
            "twice": "INSERT INTO feature "
            "SELECT fid + 100, outputId, identifier, path, width, height, geometry FROM feature",
            "elsewhere": "UPDATE feature SET path = 's3://other/' || fid",
        }[manifest]
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(change)
        manifest = path.read_bytes()
    delivery.put_records(manifest)
    with pytest.raises(UnreadableDeliveryError, match=words):
        report_of(delivery)


def test_a_foreign_account(delivery: Delivery) -> None:
    delivery.put_records(delivery.plan(TILES), delivery.plan(TILES))
    with pytest.raises(UnreadableDeliveryError, match="not an execution database"):
        report_of(delivery)


def test_no_manifest(delivery: Delivery) -> None:
    with pytest.raises(UnreadableDeliveryError, match="never analysed, or somebody has removed it"):
        report_of(delivery)


def test_an_account_that_is_behind_is_waited_for(delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "PAUSES", (0.3, 0.3, 0.5, 1.0))
    behind = delivery.account((tile, "PENDING", None) for tile in TILES)
    last = delivery.account(done(TILES))
    delivery.put_records(delivery.plan(TILES), behind)
    delivery.put_tiles(TILES)
    late = threading.Timer(0.4, lambda: delivery.put_records(account=last))
    late.start()
    assert report_of(delivery).complete
    late.join()


def test_records_that_are_written_while_they_are_read(delivery: Delivery) -> None:
    """Replaced all the time by larger and smaller ones, half of the time cut off: never a mixture."""
    accounts = [
        delivery.account([*done(TILES), *((f"other_{n}", "DONE", "x" * n) for n in range(extra))])
        for extra in (0, 300, 900)
    ]
    delivery.put_records(delivery.plan(TILES), accounts[0])
    delivery.put_tiles(TILES)
    stop = threading.Event()

    def rewrite() -> None:
        chance = random.Random(1)
        while not stop.is_set():
            account = chance.choice(accounts)
            delivery.put_records(account=account[: chance.choice([len(account), len(account) // 2])])
            time.sleep(0.005)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        complete = 0
        for _ in range(15):
            try:
                complete += report_of(delivery).complete
            except HalfWrittenError:
                continue
        assert complete > 5
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize(
    ("allowed", "no_data", "good"),
    [
        (0, "ok", False),
        (4, "ok", False),
        (5, "ok", True),
        ("5", "ok", True),
        ("60%", "ok", False),
        ("62.5%", "ok", True),
        (8, "fail", False),
    ],
)
def test_the_policy_decides(delivery: Delivery, allowed: int | str, no_data: str, good: bool) -> None:
    states = [("tile_0", "DONE", "No data"), *((tile, "FATAL", "x") for tile in TILES[1:6]), *done(TILES[6:])]
    delivery.put_records(delivery.plan(TILES), delivery.account(states))
    delivery.put_tiles(TILES[6:])
    policy = DeliveryPolicy(allowed, no_data)
    if good:
        policy.check(report_of(delivery))
        return
    with pytest.raises(IncompleteDeliveryError) as raised:
        policy.check(report_of(delivery))
    text = str(raised.value)
    if no_data == "fail":
        assert "1 of 8 tiles hold no data" in text
    else:
        assert "5 of 8 tiles were not delivered: tile_1 (failed: FATAL: x); " in text
    assert "SentinelHubRepairBatchOperator" in text


@pytest.mark.parametrize("allowed", [-1, "-1", "101%", "many", "", True, 1.5, float("nan")])
def test_a_policy_that_cannot_work(allowed: Any) -> None:
    with pytest.raises(DefinitionError, match=r"(?s)max_failed_tiles.*no_data"):
        DeliveryPolicy(allowed, "perhaps").check_itself()
