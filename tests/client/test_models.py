from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_sentinelhub.client.errors import GarbledReplyError
from airflow_provider_sentinelhub.client.models import BatchRequest, BatchStatus, TilingGrid


def test_a_request_is_read_with_whatever_else_the_service_may_add() -> None:
    request = BatchRequest.from_wire(
        {
            "id": "7ea3",
            "status": "PROCESSING",
            "userAction": "START",
            "completionPercentage": 37,
            "costPU": 9006.92,
            "created": "2025-08-14T14:02:47.848281Z",
            "lastUpdated": "2025-08-14T14:02:47Z",
            "userActionUpdated": "2025-08-14T16:02:47.8+02:00",
            "workspaceId": "new",
            "brandNew": {"a": 1},
            "request": {"description": "mine", "output": {}},
        }
    )
    assert request.status is BatchStatus.PROCESSING
    assert request.created == datetime(2025, 8, 14, 14, 2, 47, 848281, tzinfo=timezone.utc)
    assert request.last_updated == datetime(2025, 8, 14, 14, 2, 47, tzinfo=timezone.utc)
    assert request.user_action_updated == datetime(2025, 8, 14, 14, 2, 47, 800000, tzinfo=timezone.utc)
    assert request.description == "mine"
    assert request.progress == "PROCESSING, 37 %, 9006.92 PU spent"


@pytest.mark.parametrize("status", ["ARCHIVED", "", None, 3, "done"])
def test_an_unknown_status_is_unknown_and_keeps_its_name(status: object) -> None:
    request = BatchRequest.from_wire({"id": "r", "status": status})
    assert request.status is BatchStatus.UNKNOWN
    assert request.raw_status == (str(status) if status else "")


@pytest.mark.parametrize("body", [None, [], "x", {}, {"id": None}, {"id": 4}])
def test_what_is_not_a_request_is_refused(body: object) -> None:
    with pytest.raises(GarbledReplyError):
        BatchRequest.from_wire(body)


@pytest.mark.parametrize("body", [{"id": "r", "created": "soon", "costPU": "12", "request": None}])
def test_odd_values_of_known_fields_are_left_out(body: object) -> None:
    request = BatchRequest.from_wire(body)
    assert request.created is None
    assert request.cost_pu is None
    assert request.progress == "no status"


def test_the_echo_of_the_definition_is_not_printed() -> None:
    request = BatchRequest.from_wire({"id": "r", "status": "DONE", "request": {"secret": "planted"}})
    assert "planted" not in repr(request)


def test_a_grid_lists_its_resolutions_in_order() -> None:
    wire = {
        "id": 1,
        "name": "10km grid",
        "properties": {
            "tileWidth": 10000.0,
            "tileHeight": 10000.0,
            "resolutions": [20, 1.5, 10],
            "unit": "METRE",
        },
    }
    assert TilingGrid.from_wire(wire) == TilingGrid(1, "10km grid", 10000, 10000, "METRE", (1.5, 10, 20))
    assert TilingGrid.from_wire({"id": 9}).resolutions == ()
    with pytest.raises(GarbledReplyError):
        TilingGrid.from_wire({"name": "no id"})
