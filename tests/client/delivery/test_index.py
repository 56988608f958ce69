"""Tiles handed over in chunks: each once, whatever the size of the chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from client.delivery.fakes import Delivery, done

from airflow_provider_sentinelhub.client.delivery.index import is_chunk, read_chunk, write_index
from airflow_provider_sentinelhub.client.delivery.ledger import open_ledger
from airflow_provider_sentinelhub.client.errors import UnreadableDeliveryError

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_driver import Sandbox

TILES = [f"Tübingen {number:02}" for number in range(25)]


@pytest.fixture
def delivery(sandbox: Sandbox, tmp_path: Path) -> Delivery:
    delivery = Delivery(sandbox, tmp_path)
    delivery.put_records(delivery.plan(TILES), delivery.account(done(TILES)))
    delivery.put_tiles(TILES)
    return delivery


@pytest.mark.parametrize(
    ("size", "most", "sizes"), [(10, 100, [10, 10, 5]), (100, 100, [25]), (1, 4, [7, 7, 7, 4]), (25, 1, [25])]
)
def test_each_tile_is_in_one_chunk(delivery: Delivery, size: int, most: int, sizes: list[int]) -> None:
    with open_ledger(delivery.s3, delivery.request()) as ledger:
        chunks = write_index(delivery.s3, ledger, size, most)
        tiles = [tile.to_record() for tile in ledger.tiles()]
        assert [chunk["tiles"] for chunk in chunks] == sizes
        assert all(is_chunk(chunk) for chunk in chunks)
        assert not is_chunk(tiles[0])
        assert [tile for chunk in chunks for tile in read_chunk(delivery.s3, chunk)] == tiles
        assert (chunks[0]["first"], chunks[-1]["last"]) == (TILES[0], TILES[-1])
        # The index is no tile that nobody planned.
    with open_ledger(delivery.s3, delivery.request()) as ledger:
        assert ledger.report.unexpected == 0


def test_a_chunk_of_an_index_that_was_replaced(delivery: Delivery) -> None:
    with open_ledger(delivery.s3, delivery.request()) as ledger:
        chunks = write_index(delivery.s3, ledger, 10, 100)
    delivery.s3.delete_object(
        Bucket=delivery.sandbox.bucket, Key=delivery.path(TILES[0], "NDVI").split("/", 3)[3]
    )
    with open_ledger(delivery.s3, delivery.request()) as ledger:
        write_index(delivery.s3, ledger, 10, 100)
    with pytest.raises(UnreadableDeliveryError, match="no longer the index"):
        read_chunk(delivery.s3, chunks[0])
