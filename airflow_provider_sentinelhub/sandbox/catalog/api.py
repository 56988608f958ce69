"""The endpoints of the Catalog."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from airflow_provider_sentinelhub.sandbox import pricing
from airflow_provider_sentinelhub.sandbox.bodies import json_body
from airflow_provider_sentinelhub.sandbox.catalog import views
from airflow_provider_sentinelhub.sandbox.catalog.query import Query
from airflow_provider_sentinelhub.sandbox.catalog.search import Page, SearchTooLargeError, find, query_of_item
from airflow_provider_sentinelhub.sandbox.errors import (
    ApiError,
    bad_payload,
    catalog_error,
    not_found,
    out_of_units,
)
from airflow_provider_sentinelhub.sandbox.process_api import SPENT
from airflow_provider_sentinelhub.sandbox.routing import Endpoint, base_url
from airflow_provider_sentinelhub.sandbox.scenes import COLLECTIONS

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_sentinelhub.sandbox.oauth import Tokens
    from airflow_provider_sentinelhub.sandbox.records import Account
    from airflow_provider_sentinelhub.sandbox.services import Services

_ROOT = "/catalog/v1"
_GEOJSON = "application/geo+json"


class _Endpoint(Endpoint):
    """An endpoint whose errors have the Catalog's form, 401 among them (assumed)."""

    @staticmethod
    def refusal(error: ApiError) -> Response:
        return JSONResponse(
            catalog_error(error.status, error.message), status_code=error.status, headers=error.headers
        )


class CatalogApi:
    """The endpoints; one method per operation."""

    def __init__(self, services: Services, tokens: Tokens) -> None:
        self._services, self._tokens = services, tokens

    def endpoints(self) -> list[Endpoint]:
        """Return the routes; the gateway has already brought both path schemes into the new form."""
        guard = self._tokens.guard
        return [
            # These two need no token (documented).
            _Endpoint(_ROOT, GET=self.landing_page),
            _Endpoint(f"{_ROOT}/conformance", GET=self.conformance),
            _Endpoint(f"{_ROOT}/collections", GET=guard(self.list_collections)),
            _Endpoint(f"{_ROOT}/collections/{{id}}", GET=guard(self.get_collection)),
            _Endpoint(f"{_ROOT}/collections/{{id}}/queryables", GET=guard(self.queryables)),
            _Endpoint(f"{_ROOT}/collections/{{id}}/items/{{item}}", GET=guard(self.get_item)),
            _Endpoint(f"{_ROOT}/search", GET=guard(self.search), POST=guard(self.search)),
        ]

    async def landing_page(self, request: Request) -> Response:
        """Return the root of the catalog."""
        return JSONResponse(views.landing_page(_root(request)))

    async def conformance(self, _: Request) -> Response:
        """Name what the API conforms to."""
        return JSONResponse({"conformsTo": views.CONFORMANCE})

    async def list_collections(self, request: Request, _: Account) -> Response:
        """Return all collections."""
        root = _root(request)
        collections = [views.collection(identifier, root) for identifier in COLLECTIONS]
        return JSONResponse({"collections": collections, "links": views.links(root, "/collections")})

    async def get_collection(self, request: Request, _: Account) -> Response:
        """Return one collection."""
        return JSONResponse(views.collection(_collection(request), _root(request)))

    async def queryables(self, request: Request, _: Account) -> Response:
        """Return what filters may name."""
        url = f"{_root(request)}/collections/{_collection(request)}/queryables"
        return JSONResponse(views.queryables(url), media_type="application/schema+json")

    async def get_item(self, request: Request, _: Account) -> Response:
        """Return one item."""
        query = query_of_item(_collection(request), request.path_params["item"])
        page = await self._find(query) if query else None
        if page is None or not page.items:
            raise not_found("Item not found.")
        item = views.linked(page.items[0], _root(request))
        return JSONResponse(item, media_type=_GEOJSON)

    async def search(self, request: Request, account: Account) -> Response:
        """Return a page of the items that a query names, and charge for it."""
        posted = request.method == "POST"
        query = Query.read(await json_body(request)) if posted else Query.read_url(request.query_params)
        if account.balance_pu <= 0:
            raise out_of_units()
        page = await self._find(query)
        units = pricing.catalog_units(query.square_kilometres, query.days)
        self._services.store.spend(account.project_id, units)
        root = _root(request)
        following = query.offset + query.limit if page.more else None
        body: dict[str, Any] = {
            "type": "FeatureCollection",
            "features": page.values or [query.fields.chosen(views.linked(item, root)) for item in page.items],
            "links": _search_links(request, following),
            "context": {
                **({} if following is None else {"next": following}),
                "limit": query.limit,
                "returned": len(page.values or page.items),
            },
        }
        return JSONResponse(body, media_type=_GEOJSON, headers={SPENT: f"{units:.6f}"})

    async def _find(self, query: Query) -> Page:
        # What is still to be taken is not listed yet.
        now = datetime.fromtimestamp(self._services.clock.now(), timezone.utc)
        if query.start > now:
            return Page([], [], more=False)
        query = replace(query, end=min(query.end, now))
        try:
            return await self._services.workers.run(find, query)
        except SearchTooLargeError as error:
            raise bad_payload("The sandbox does not search through so many items: narrow it down.") from error
        except BrokenProcessPool as error:
            raise ApiError(500, "The process that searched died.", "COMMON_EXCEPTION") from error


def _root(request: Request) -> str:
    return base_url(request) + _ROOT


def _collection(request: Request) -> str:
    identifier: str = request.path_params["id"]
    if identifier not in COLLECTIONS:
        raise not_found("Collection not found.")
    return identifier


def _search_links(request: Request, following: int | None) -> list[dict[str, Any]]:
    """Return links to this page and the next, in the new path form whatever the call used."""
    url = f"{_root(request)}/search"
    if request.method == "POST":
        links: list[dict[str, Any]] = [{"href": url, "rel": "self", "type": _GEOJSON}]
        more = {"method": "POST", "body": {"next": following}, "merge": True}
        next_url = url
    else:
        query = dict(request.query_params)
        links = [{"href": f"{url}?{urlencode(query)}", "rel": "self", "type": _GEOJSON}]
        more = {}
        next_url = f"{url}?{urlencode({**query, 'next': following})}"
    if following is not None:
        title = "Next set of results"
        links.append({"href": next_url, "rel": "next", "type": _GEOJSON, "title": title, **more})
    return links
