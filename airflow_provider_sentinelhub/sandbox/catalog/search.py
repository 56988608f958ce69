"""Finds items: runs in a worker process, a large area takes seconds."""

from __future__ import annotations

import heapq
import itertools
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_sentinelhub.sandbox.catalog import views
from airflow_provider_sentinelhub.sandbox.catalog.filters import expression
from airflow_provider_sentinelhub.sandbox.catalog.query import Query
from airflow_provider_sentinelhub.sandbox.scenes import acquired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sentinelhub.sandbox.scenes import Product

Found = TypeVar("Found")

_ID = re.compile(r"S2[AB]_MSIL(1C|2A)_(\d{8}T\d{6})_N\d{4}_R\d{3}_T(\d\d)[A-Z]{3}_\d{8}T\d{6}")


_MOST_EXAMINED = 100_000  # products; some minutes of work


class SearchTooLargeError(Exception):
    """The sandbox will not look at so many products."""


@dataclass(frozen=True)
class Page:
    """A page of results: items, or the distinct values that were asked for."""

    items: list[dict[str, Any]]
    values: list[str]
    more: bool


def find(query: Query) -> Page:
    """Return a page of what a query names, most recent first (assumed); raises `SearchTooLargeError`."""
    products = heapq.merge(
        *(_products(query, collection) for collection in query.collections),
        key=lambda product: product.date,
        reverse=True,
    )
    if query.distinct == "date":
        days = (day for day, _ in itertools.groupby(product.date.date().isoformat() for product in products))
        values, more = _cut(days, query)
        return Page([], values, more)
    shown, more = _cut(products, query)
    return Page([views.item(product) for product in shown], [], more)


def _cut(found: Iterator[Found], query: Query) -> tuple[list[Found], bool]:
    """Return what lies on the page, and whether there is more."""
    page = list(itertools.islice(found, query.offset, query.offset + query.limit + 1))
    return page[: query.limit], len(page) > query.limit


def query_of_item(collection: str, identifier: str) -> Query | None:
    """Return the query that finds one item; None if nothing has such an id."""
    seen = _seen(identifier)
    return Query((collection,), seen, seen, ids=(identifier,)) if seen else None


def _products(query: Query, collection: str) -> Iterator[Product]:
    start, end = query.start, query.end
    zones = list(range(1, 61))
    if query.ids is not None:
        # An id tells when and in which zone it was taken: nothing else needs to be looked at.
        moments = [seen for identifier in query.ids if (seen := _seen(identifier))]
        if not moments:
            return
        start, end = max(start, min(moments)), min(end, max(moments))
        zones = sorted({int(found[3]) for one in query.ids if (found := _ID.fullmatch(one))} & set(zones))
    matches = expression(query.filter).matches if query.filter else None
    for examined, product in enumerate(acquired(query.area, collection, start, end, zones)):
        if examined >= _MOST_EXAMINED:
            raise SearchTooLargeError
        if query.ids is not None and views.identifier(product) not in query.ids:
            continue
        if matches is None or matches({"eo:cloud_cover": product.cloud_cover}):
            yield product


def _seen(identifier: str) -> datetime | None:
    found = _ID.fullmatch(identifier)
    try:
        moment = datetime.strptime(found[2], "%Y%m%dT%H%M%S") if found else None
    except ValueError:
        return None
    return moment and moment.replace(tzinfo=timezone.utc)
