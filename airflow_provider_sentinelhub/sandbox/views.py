"""Answers: requests, tiling grids and pages of them, as they go over the wire."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow_provider_sentinelhub.sandbox import lifecycle
from airflow_provider_sentinelhub.sandbox.clock import timestamp

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.sandbox.records import Account, Task

MASK = "*****"
_SECRETS = {"accessKey", "secretAccessKey", "credentials"}


def masked(body: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a request body without its credentials, as the service echoes it."""
    result = copy.deepcopy(body)
    _mask(result)
    return result


def _mask(value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in _SECRETS:
                value[key] = MASK
            else:
                _mask(item)
    elif isinstance(value, list):
        for item in value:
            _mask(item)


def request_view(task: Task) -> dict[str, Any]:
    """Return the request of a task: defaults filled in, secrets masked, the description as last updated."""
    body = masked(task.body)
    body.pop("description", None)
    if task.description is not None:
        body["description"] = task.description
    return body


def task_view(task: Task, account: Account, *, status: str | None = None) -> dict[str, Any]:
    """Return a task; ``status`` is shown in place of the real one.

    ``domainAccountId`` equals ``projectId`` (documented). ``costPU`` and ``completionPercentage`` are 0
    before processing, ``error`` is there only for FAILED, ``stoppedStatusReason`` only for STOPPED (assumed).
    """
    shown = status or task.status
    view: dict[str, Any] = {
        "id": task.id,
        "request": request_view(task),
        "domainAccountId": account.project_id,
        "projectId": account.project_id,
        "workspaceId": account.workspace_id,
        "status": shown,
        "userAction": task.user_action,
        "created": timestamp(task.created),
        "lastUpdated": timestamp(task.last_updated),
        "completionPercentage": _completion(task, shown),
        "costPU": round(task.cost_pu, 6),
    }
    if task.user_action_updated is not None:
        view["userActionUpdated"] = timestamp(task.user_action_updated)
    if shown == lifecycle.FAILED and task.error:
        view["error"] = task.error
    if shown == lifecycle.STOPPED:
        view["stoppedStatusReason"] = task.stopped_reason
    return view


def _completion(task: Task, shown: str) -> int:
    if shown == lifecycle.DONE:
        return 100
    return 100 * task.tiles_done // task.tiles_total if task.tiles_total else 0


def page_view(
    data: list[dict[str, Any]], *, url: str, query: dict[str, str], offset: int, limit: int, more: bool
) -> dict[str, Any]:
    """Return a page. Tokens are offsets; links have the new path form whatever the call used (documented)."""

    def link(position: int) -> str:
        return f"{url}?{urlencode({**query, 'viewtoken': str(position)})}"

    links: dict[str, str] = {"@id": link(offset), "currentToken": str(offset)}
    if more:
        links["nextToken"] = str(offset + limit)
        links["next"] = link(offset + limit)
    if offset > 0:
        links["previousToken"] = str(max(0, offset - limit))
        links["previous"] = link(max(0, offset - limit))
    return {"data": data, "links": links}
