"""The price of an analysed request as a step of its own, between analysis and start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.hooks.sentinelhub import failing_for_good
from airflow_provider_sentinelhub.links import store_dashboard
from airflow_provider_sentinelhub.operators.base import SentinelHubOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.price import Level


class SentinelHubBudgetOperator(SentinelHubOperator):
    """Price a batch request that was analysed; fail if it costs more than ``max_pu``.

    Returns the estimate as a dict: ``pu`` and ``before_minimum`` (``low``, ``likely``, ``high``), ``tiles``,
    ``pixels``, ``samples`` (per pixel), ``terms`` and ``assumptions``. The table of terms is in the log.
    Over budget, the task fails for good (`BudgetExceededError`) and the request stays analysed.

    :param request_id: the batch request. (templated)
    :param max_pu: processing units that it may cost; without it, nothing is refused. (templated)
    :param pu_figure: which figure of the price counts: ``likely``, ``low`` or ``high``.
    :param count_scenes: look the scenes up in the Catalog, for the price of ORBIT and TILE mosaicking: costs
        0.01 to 1 PU for each 100 scenes. Without it, it is assumed how often satellites come by.
    :param aws_conn_id: AWS connection that may read the bucket of the delivery. (templated)
    """

    template_fields: Sequence[str] = (
        "request_id",
        "max_pu",
        "aws_conn_id",
        *SentinelHubOperator.template_fields,
    )

    def __init__(
        self,
        *,
        request_id: str,
        max_pu: float | str | None = None,
        pu_figure: Level = "likely",
        count_scenes: bool = False,
        aws_conn_id: str = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request_id = request_id
        self.max_pu = max_pu
        self.pu_figure = pu_figure
        self.count_scenes = count_scenes
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Price the request and hold it against the limit."""
        from airflow_provider_sentinelhub.client.actions import look
        from airflow_provider_sentinelhub.hooks.price import (
            check_figure,
            check_price,
            estimate_request,
            read_pu,
        )

        with failing_for_good():
            client = self.hook.client
            store_dashboard(context, client.deployment)
            limit = read_pu("max_pu", self.max_pu)
            check_figure(self.pu_figure)
            request = look(client, self.request_id)
            catalog = client if self.count_scenes else None
            estimate = estimate_request(request, self.aws_conn_id, catalog)
            self.log.info("The price of batch request %s:\n%s", request.id, estimate.table())
            if limit is not None:
                check_price(request, estimate, limit, self.pu_figure)
        return estimate.to_dict()
