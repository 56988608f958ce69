"""The API: Batch Processing V2 and the token endpoints."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from airflow_provider_sentinelhub.sandbox import lifecycle, views
from airflow_provider_sentinelhub.sandbox.bodies import json_body, scripted_body
from airflow_provider_sentinelhub.sandbox.definition import Definition
from airflow_provider_sentinelhub.sandbox.delivery import BucketRefusedError, BucketUnavailableError
from airflow_provider_sentinelhub.sandbox.errors import (
    ApiError,
    Violation,
    bad_payload,
    not_found,
    out_of_units,
)
from airflow_provider_sentinelhub.sandbox.grids import GRIDS
from airflow_provider_sentinelhub.sandbox.oauth import Tokens, token_endpoint
from airflow_provider_sentinelhub.sandbox.routing import Endpoint, base_url
from airflow_provider_sentinelhub.sandbox.services import upload
from airflow_provider_sentinelhub.sandbox.validation import validated

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_sentinelhub.sandbox.engine import Engine
    from airflow_provider_sentinelhub.sandbox.records import Account, Task
    from airflow_provider_sentinelhub.sandbox.services import Services

_ORDERS = {
    # Without ``sort`` the order is undocumented; oldest first is assumed.
    "created": "seq",
    "created:desc": "seq DESC",
    "status": "status, seq",
    "status:desc": "status DESC, seq",
}
_MAX_INT32 = 2**31 - 1


class Api:
    """The endpoints; one method per operation."""

    def __init__(self, services: Services, tokens: Tokens, engine: Engine) -> None:
        self._services, self._tokens, self._engine = services, tokens, engine
        self._store, self._clock = services.store, services.clock
        self._steering, self._faults = services.steering, services.faults

    def endpoints(self) -> list[Endpoint]:
        """Return the routes; the gateway has already brought both path schemes into the new form."""
        return [
            Endpoint(
                "/batch/v2/process",
                GET=self._tokens.guard(self.list_requests),
                POST=self._tokens.guard(self.create),
            ),
            Endpoint(
                "/batch/v2/process/{id}",
                GET=self._tokens.guard(self.get),
                PUT=self._tokens.guard(self.update),
            ),
            Endpoint("/batch/v2/process/{id}/{action}", POST=self._tokens.guard(self.act)),
            Endpoint("/batch/v2/tilinggrids", GET=self._tokens.guard(self.list_grids)),
            Endpoint("/batch/v2/tilinggrids/{id}", GET=self._tokens.guard(self.get_grid)),
            Endpoint("/auth/realms/{realm}/protocol/openid-connect/token", POST=self.token),
            Endpoint("/oauth/token", POST=self.legacy_token),
        ]

    # -- tokens

    async def token(self, request: Request) -> Response:
        """Issue a token, in Keycloak's form; one sandbox stands for both deployments."""
        if request.path_params["realm"] not in {"main", "CDSE"}:
            return JSONResponse({"error": "Realm does not exist"}, status_code=404)
        return await token_endpoint(request, self._store, self._tokens, legacy=False)

    async def legacy_token(self, request: Request) -> Response:
        """Issue a token at the old address, whose errors look different."""
        return await token_endpoint(request, self._store, self._tokens, legacy=True)

    # -- requests

    async def create(self, request: Request, account: Account) -> Response:
        """Create a request, and show with a first upload that its bucket can be written."""
        body = validated(await scripted_body(request, "processRequest"))
        self._require_units(account)
        definition = Definition.read(body)
        task_id = str(uuid.uuid4())
        document = json.dumps(views.masked(body), indent=2).encode()
        try:
            bucket = await self._services.bucket(task_id, definition, phase="create")
            key = definition.destination.root_key(task_id, f"request-{task_id}.json")
            await upload(bucket, key, document)
        except BucketRefusedError as error:
            violation = Violation("output->delivery->s3->url", f"the bucket cannot be written to: {error}")
            raise bad_payload("The request is not valid.", [violation]) from error
        except BucketUnavailableError as error:
            raise ApiError(503, "The object storage does not answer.", "COMMON_EXCEPTION") from error
        request.scope["sandbox.request_id"] = task_id
        self._store.add_task(task_id, account.project_id, body, self._clock.now())
        task = self._store.task(task_id)
        assert task is not None  # noqa: S101
        return JSONResponse(views.task_view(task, account), status_code=201)

    async def list_requests(self, request: Request, account: Account) -> Response:
        """Return a page of the account's requests."""
        order = request.query_params.get("sort", "created")
        if order not in _ORDERS:
            raise bad_payload(f"sort must be one of {', '.join(_ORDERS)}.", [Violation("sort", "is unknown")])
        offset, limit = self._page(request)
        search = request.query_params.get("search", "")
        # Words joined with | are alternatives, words joined with & must all be there.
        words = [[w for w in re.split(r"\|", part) if w.strip()] for part in search.split("&")]
        tasks = self._store.tasks(
            account.project_id,
            order=_ORDERS[order],
            offset=offset,
            limit=limit + 1,
            words=[[word.strip() for word in group] for group in words if group],
        )
        data = [self._view(task, account) for task in tasks[:limit]]
        return self._page_response(request, data, offset, limit, more=len(tasks) > limit)

    async def get(self, request: Request, account: Account) -> Response:
        """Return one request. The call counts as a poll only after its answer was made up."""
        task = self._visible(request, account)
        view = self._view(task, account)
        if task.stale_polls > 0:
            self._store.update_task(task.id, stale_polls=task.stale_polls - 1)
        self._store.count(task.id, "polls")
        self._engine.polled(task.id)
        return JSONResponse(view)

    async def update(self, request: Request, account: Account) -> Response:
        """Change the description; the answer is the request, as documented, not the task."""
        task = self._visible(request, account)
        body = await json_body(request)
        if not isinstance(body, dict):
            raise bad_payload("The request body must be a JSON object.")
        description = body.get("description", task.description)
        if "description" in body and not isinstance(description, str):
            raise bad_payload("The request is not valid.", [Violation("description", "must be a text")])
        if lifecycle.is_locked(task.status, task.user_action):
            raise ApiError(
                409,
                f"Task with status {task.status} is being processed or waits for it and cannot be updated.",
                "COMMON_BAD_PAYLOAD",
            )
        self._store.update_task(task.id, description=description, last_updated=self._clock.now())
        updated = self._store.task(task.id)
        return JSONResponse(views.request_view(updated or task))

    async def act(self, request: Request, account: Account) -> Response:
        """Accept or refuse analyse, start or stop; what it leads to happens later."""
        action = {"analyse": lifecycle.ANALYSE, "start": lifecycle.START, "stop": lifecycle.STOP}.get(
            request.path_params["action"]
        )
        if action is None:
            raise not_found()
        task = self._visible(request, account)
        lifecycle.check_action(task.status, task.user_action, action)
        now = self._clock.now()
        if action != lifecycle.STOP:
            if task.status == lifecycle.STOPPED:
                lifecycle.check_restart(task.stopped_at, task.stopped_reason, now)
            self._require_units(account)
        self._store.update_task(
            task.id,
            user_action=action,
            user_action_updated=now,
            last_updated=now,
            picked_up=False,
            action_polls=task.polls,
        )
        self._store.count(task.id, {"ANALYSE": "analyses", "START": "starts", "STOP": "stops"}[action])
        self._engine.wake(task.id)
        return Response(status_code=204)

    # -- tiling grids

    async def list_grids(self, request: Request, _: Account) -> Response:
        """Return a page of the tiling grids."""
        offset, limit = self._page(request)
        grids = [grid.to_json() for grid in GRIDS.values()]
        return self._page_response(
            request, grids[offset : offset + limit], offset, limit, more=len(grids) > offset + limit
        )

    async def get_grid(self, request: Request, _: Account) -> Response:
        """Return one tiling grid; 400 for an unknown one, because no 404 is documented."""
        number = request.path_params["id"]
        if not re.fullmatch(r"[0-9]{1,9}", number) or int(number) not in GRIDS:
            raise bad_payload(
                "Tiling grid does not exist.", [Violation("id", "is not the id of a tiling grid")]
            )
        return JSONResponse(GRIDS[int(number)].to_json())

    # -- helpers

    def _visible(self, request: Request, account: Account) -> Task:
        """Return the request a path names; 404 if it is unknown, not the account's, or not to be seen yet."""
        task = self._store.task(request.path_params["id"], account.project_id)
        if task is None:
            raise not_found()
        pace = self._steering.pace("not_found_after_create")
        if not pace.allowed(self._clock.now() - task.created, task.polls, 1):
            self._store.count(task.id, "polls")
            raise not_found()
        return task

    def _view(self, task: Task, account: Account) -> dict[str, Any]:
        stale = task.previous_status if task.stale_polls > 0 else None
        return views.task_view(task, account, status=self._faults.on_answer(task.id) or stale)

    def _require_units(self, account: Account) -> None:
        if account.balance_pu < lifecycle.MINIMUM_BALANCE_PU:
            raise out_of_units()

    def _page(self, request: Request) -> tuple[int, int]:
        """Return offset and size of the page asked for; a ``count`` above the limit is cut (assumed)."""
        largest: int = self._steering["page_size"]
        count = _whole_parameter(request, "count", largest, least=1)
        return _whole_parameter(request, "viewtoken", 0, least=0), min(count, largest)

    def _page_response(
        self, request: Request, data: list[dict[str, Any]], offset: int, limit: int, *, more: bool
    ) -> Response:
        query = {k: v for k, v in request.query_params.items() if k in {"count", "sort", "search"}}
        url = base_url(request) + request.scope["path"]
        return JSONResponse(
            views.page_view(data, url=url, query=query, offset=offset, limit=limit, more=more)
        )


def _whole_parameter(request: Request, name: str, default: int, *, least: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    value = int(text) if re.fullmatch(r"-?[0-9]{1,10}", text) else None
    if value is None or not least <= value <= _MAX_INT32:
        raise bad_payload(
            f"Invalid value of parameter {name}.",
            [Violation(name, f"must be a whole number, {least} or more")],
        )
    return value
