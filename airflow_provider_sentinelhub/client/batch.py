"""The Batch Processing V2 API, call by call."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_sentinelhub.client.errors import GarbledReplyError, NotFoundError
from airflow_provider_sentinelhub.client.http import Call
from airflow_provider_sentinelhub.client.models import CLOCK_SKEW, BatchRequest, TilingGrid
from airflow_provider_sentinelhub.client.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_sentinelhub.client.deployments import Credentials, Deployment
    from airflow_provider_sentinelhub.client.retries import Backoff

# For this long after a create the service may not know the new request yet (seen in the wild: up to minutes).
NEW_REQUEST_GRACE = 180.0
# Older than this by our clock, a request is not new by the service's either.
_NEW = timedelta(seconds=NEW_REQUEST_GRACE) + CLOCK_SKEW
_NEW_REQUEST_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


class BatchClient:
    """A Sentinel Hub account's batch requests and tiling grids. Safe to share between threads.

    Every method raises `TransportError` or `ApiError`; calls that may happen twice without harm are repeated
    as ``backoff`` says, a create only after an error that proves that nothing was created. A request that is
    new may be unknown for a while, whoever created it: so long as the list shows it, that is waited for (with
    a ``backoff`` of one attempt, by nobody). ``session`` is what other APIs of the account can share.
    """

    def __init__(
        self,
        deployment: Deployment,
        credentials: Credentials,
        *,
        backoff: Backoff | None = None,
        timeout: tuple[float, float] | None = None,
    ) -> None:
        self.session = Session(deployment, credentials, backoff=backoff, timeout=timeout)
        # When requests that are new were first seen, by time.monotonic().
        self._new: dict[str, float] = {}

    @property
    def deployment(self) -> Deployment:
        """Where the account is."""
        return self.session.deployment

    def create(self, definition: Mapping[str, Any]) -> BatchRequest:
        """Create a batch request from its wire form. Costs nothing until it is started.

        `LostReplyError` or `ServerError` leave open whether the request exists: look for it before creating
        another one.
        """
        body = self._call("Creating a batch request", "POST", "/process", json=definition, safe=False)
        request = BatchRequest.from_wire(body)
        self._new[request.id] = time.monotonic()
        return request

    def get(self, request_id: str) -> BatchRequest:
        """Read a batch request."""
        what = f"Reading batch request {request_id}"
        body = self._of_request(request_id, lambda: self._call(what, "GET", _path(request_id)))
        request = BatchRequest.from_wire(body)
        if request.id != request_id:
            raise GarbledReplyError(f"{what}: the answer is about {request.id}.")
        return request

    def iter_requests(
        self, *, sort: str = "created:desc", search: str | None = None, page_size: int | None = None
    ) -> Iterator[BatchRequest]:
        """Go through the account's batch requests, page by page as they are needed, newest first.

        ``sort`` is ``created``, ``created:desc``, ``status`` or ``status:desc``. ``search`` (words) is known
        to CDSE only; other deployments ignore it.
        """
        params = {"sort": sort, **({"search": search} if search else {})}
        for item in self._pages("Listing batch requests", "/process", params, page_size):
            yield BatchRequest.from_wire(item)

    def update_description(self, request_id: str, description: str) -> None:
        """Change a batch request's description, the only part that can be changed."""
        what = f"Describing batch request {request_id}"
        change = {"description": description}
        self._of_request(request_id, lambda: self._call(what, "PUT", _path(request_id), json=change))

    def analyse(self, request_id: str) -> None:
        """Ask for the analysis: the evalscript is checked and the list of tiles laid on the bucket. Free."""
        self._act("Analysing", request_id, "analyse")

    def start(self, request_id: str) -> None:
        """Ask for processing: this is what is paid for. Analyses first where that has not been done."""
        self._act("Starting", request_id, "start")

    def stop(self, request_id: str) -> None:
        """Ask for processing to stop: delivered tiles stay and are paid; no restart for 30 minutes."""
        self._act("Stopping", request_id, "stop")

    def iter_tiling_grids(self) -> Iterator[TilingGrid]:
        """Go through the tiling grids that the deployment offers."""
        for item in self._pages("Listing tiling grids", "/tilinggrids", {}):
            yield TilingGrid.from_wire(item)

    def get_tiling_grid(self, grid_id: int) -> TilingGrid:
        """Read one tiling grid."""
        return TilingGrid.from_wire(
            self._call(f"Reading tiling grid {grid_id}", "GET", f"/tilinggrids/{int(grid_id)}")
        )

    def check(self) -> None:
        """Make sure that the credentials work and may use Batch Processing; raises what is wrong."""
        next(self.iter_requests(page_size=1), None)

    def close(self) -> None:
        """Close the kept connections."""
        self.session.close()

    def _act(self, doing: str, request_id: str, action: str) -> None:
        what = f"{doing} batch request {request_id}"
        path = f"{_path(request_id)}/{action}"
        self._of_request(request_id, lambda: self._call(what, "POST", path, safe=False))

    def _call(
        self,
        what: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        safe: bool = True,
    ) -> Any:
        url = self.deployment.batch_url + path
        return self.session.json(Call(what, method, url, params=params, json=json, safe=safe))

    def _of_request(self, request_id: str, call: Callable[[], Any]) -> Any:
        """Call, and call again while the service does not know yet what is new."""
        pauses = iter(_NEW_REQUEST_PAUSES)
        while True:
            try:
                return call()
            except NotFoundError:
                if self.session.backoff.attempts == 1 or not self._is_new(request_id):
                    raise
                time.sleep(next(pauses, _NEW_REQUEST_PAUSES[-1]))

    def _is_new(self, request_id: str) -> bool:
        if request_id not in self._new:
            oldest = datetime.now(timezone.utc) - _NEW
            for request in self.iter_requests(sort="created:desc"):
                if request.created is not None and request.created < oldest:
                    return False
                if request.id == request_id:
                    self._new[request_id] = time.monotonic()
                    break
            else:
                return False
        return time.monotonic() - self._new[request_id] < NEW_REQUEST_GRACE

    def _pages(
        self, what: str, path: str, params: Mapping[str, str], page_size: int | None = None
    ) -> Iterator[Any]:
        query = dict(params, **({"count": str(page_size)} if page_size else {}))
        while True:
            page = self._call(what, "GET", path, params=query)
            if not isinstance(page, dict) or not isinstance(page.get("data"), list):
                raise GarbledReplyError(f"{what}: the answer is not a page of results.")
            yield from page["data"]
            # By token and never by the link's URL: its host and path scheme may not be ours.
            token = (page.get("links") or {}).get("nextToken")
            if not token or not page["data"] or token == query.get("viewtoken"):
                return
            query["viewtoken"] = str(token)


def _path(request_id: str) -> str:
    return f"/process/{quote(request_id, safe='')}"
