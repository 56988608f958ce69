"""A repair may write only where the first request was to write: looked at before anything is paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from client.delivery.fakes import Delivery

from airflow_provider_sentinelhub.client.delivery.repair import check_plan
from airflow_provider_sentinelhub.client.errors import RepairError, UnreadableDeliveryError

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_driver import Sandbox

TILES = ("a", "b", "c")


@pytest.mark.parametrize(("planned", "good"), [(["b"], True), (TILES, True), (["b", "elsewhere"], False)])
def test_only_where_the_first_was_to_write(
    sandbox: Sandbox, tmp_path: Path, planned: list[str], good: bool
) -> None:
    first, repair = Delivery(sandbox, tmp_path), Delivery(sandbox, tmp_path)
    first.put_records(first.plan(TILES))
    # The repair's manifest names the first one's places.
    repair.put_records(first.plan(planned))
    if good:
        check_plan(first.s3, first.request(), repair.request("ANALYSIS_DONE"))
        return
    with pytest.raises(
        RepairError, match=r"2 files that are not of request .*elsewhere/NDVI\.tif.*not started"
    ):
        check_plan(first.s3, first.request(), repair.request("ANALYSIS_DONE"))


def test_without_its_manifest_nothing_is_started(sandbox: Sandbox, tmp_path: Path) -> None:
    first, repair = Delivery(sandbox, tmp_path), Delivery(sandbox, tmp_path)
    first.put_records(first.plan(TILES))
    with pytest.raises(UnreadableDeliveryError, match="is not in"):
        check_plan(first.s3, first.request(), repair.request("ANALYSIS_DONE"))
