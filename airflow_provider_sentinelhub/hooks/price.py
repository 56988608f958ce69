"""The price of a request that was analysed, with what an Airflow connection can read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import BudgetExceededError, DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shapely.geometry.base import BaseGeometry

    from airflow_provider_sentinelhub.client.batch import BatchClient
    from airflow_provider_sentinelhub.client.catalog import Scene
    from airflow_provider_sentinelhub.client.models import BatchRequest
    from airflow_provider_sentinelhub.client.price import Estimate, FindScenes, Level, Source


def estimate_request(request: BatchRequest, aws_conn_id: str, catalog: BatchClient | None = None) -> Estimate:
    """Price a request by what its analysis has laid on the bucket and by the service's echo of it.

    With the client of an account as ``catalog``, its scenes are looked up with that, which costs 0.01 to 1 PU
    for each 100 of them; without, it is assumed how often satellites come by. Raises `DefinitionError` for
    what cannot be priced, `DeliveryError` for a bucket without its manifest.
    """
    from airflow_provider_sentinelhub.client.price import price_request
    from airflow_provider_sentinelhub.hooks.delivery import bucket_client

    if not aws_conn_id:
        remedy = "Name an AWS connection that may read the bucket: what will be processed is listed there"
        raise DefinitionError([Fault("aws_conn_id", "is missing", remedy)], "price")
    scenes = _search(catalog) if catalog else None
    return price_request(bucket_client(aws_conn_id), request, scenes=scenes)


def _search(client: BatchClient) -> FindScenes:
    from airflow_provider_sentinelhub.client.catalog import CatalogClient, SceneQuery

    def find(source: Source, area: BaseGeometry) -> Iterator[Scene]:
        clouds = source.max_cloud_coverage
        query = SceneQuery(
            area=area,
            time_range=(source.start, source.end),
            collection=source.collection,
            max_cloud_coverage=clouds if clouds < 100 else None,
        )
        return CatalogClient(client.session).search(query)

    return find


def check_price(request: BatchRequest, estimate: Estimate, max_pu: float, figure: Level = "likely") -> None:
    """Raise `BudgetExceededError` if a request would cost more than ``max_pu`` in all.

    Of one that has spent something already, that and what is still to be paid are counted.
    """
    from airflow_provider_sentinelhub.client.price.budget import price_of

    spent = request.cost_pu or 0.0
    total = spent + still_to_pay(request, price_of(estimate, figure))
    if total > max_pu:
        so_far = f", {spent:,.2f} PU of it spent already" if spent else ""
        raise BudgetExceededError(
            request.id,
            f"was not started: it costs {total:,.2f} PU ({figure}{so_far}), more than max_pu = {max_pu:,g}.",
            estimate.table(),
        )


def still_to_pay(request: BatchRequest, price: float) -> float:
    """Return what is left of a request's price: by what was spent, and by what was done, if that is less."""
    done = (request.completion_percentage or 0.0) / 100
    return max(0.0, price - (request.cost_pu or 0.0), price * (1 - done))


def check_figure(figure: str) -> None:
    """Raise `DefinitionError` for a figure that no estimate has."""
    from typing import get_args

    from airflow_provider_sentinelhub.client.price import Level

    if figure not in get_args(Level):
        names = ", ".join(get_args(Level))
        raise DefinitionError(
            [Fault("pu_figure", f"{figure!r} is not known", f"Choose one of {names}")], "budget"
        )


def read_pu(name: str, value: Any) -> float | None:
    """Read an amount of PU as a number, or as the text that a template has become; None if there is none."""
    if value in (None, "", "None"):
        return None
    try:
        amount = float(value)
    except (TypeError, ValueError):
        amount = math.nan
    if isinstance(value, bool) or not 0 <= amount < math.inf:
        raise DefinitionError([Fault(name, f"{value!r} is no amount of PU", "Give 0 or more")], "budget")
    return amount
