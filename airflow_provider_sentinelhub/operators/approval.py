"""A person looks at the price before it is paid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook, failing_for_good
from airflow_provider_sentinelhub.links import SentinelHubDashboardLink, store_dashboard
from airflow_provider_sentinelhub.operators.base import SentinelHubOperator

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context


class SentinelHubBatchApprovalOperator(ApprovalOperator):
    """Have a person approve the price of a batch request that was analysed and is not started.

    What is asked shows the price and its terms. If it is approved, the tasks downstream run; if it is
    rejected, they are skipped and the request stays analysed. Returns what Airflow's `ApprovalOperator`
    returns, whose arguments it takes (``response_timeout``, ``assigned_users``, ``notifiers``, …), and:

    :param request_id: the batch request. (templated)
    :param aws_conn_id: AWS connection that may read the bucket of the delivery. (templated)
    :param count_scenes: look the scenes up in the Catalog, for the price of ORBIT and TILE mosaicking: costs
        0.01 to 1 PU for each 100 scenes. Without it, it is assumed how often satellites come by.
    :param sentinelhub_conn_id: the Sentinel Hub connection. (templated)
    :param subject: the headline; there is a default. (templated)
    :param body: Markdown to show above the price. (templated)
    """

    template_fields: Collection[str] = (
        *ApprovalOperator.template_fields,
        "request_id",
        "aws_conn_id",
        *SentinelHubOperator.template_fields,
    )
    operator_extra_links = (SentinelHubDashboardLink(),)
    ui_color = SentinelHubOperator.ui_color

    def __init__(
        self,
        *,
        request_id: str,
        aws_conn_id: str = "aws_default",
        count_scenes: bool = False,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        subject: str = "Is this batch request worth its price?",
        **kwargs: Any,
    ) -> None:
        super().__init__(subject=subject, **kwargs)
        self.request_id = request_id
        self.aws_conn_id = aws_conn_id
        self.count_scenes = count_scenes
        self.sentinelhub_conn_id = sentinelhub_conn_id

    def execute(self, context: Context) -> Any:
        """Price the request, and ask."""
        from airflow_provider_sentinelhub.client.actions import look
        from airflow_provider_sentinelhub.hooks.price import estimate_request

        with failing_for_good():
            client = SentinelHubHook(self.sentinelhub_conn_id).client
            store_dashboard(context, client.deployment)
            request = look(client, self.request_id)
            catalog = client if self.count_scenes else None
            estimate = estimate_request(request, self.aws_conn_id, catalog)
        self.log.info("The price of batch request %s:\n%s", request.id, estimate.table())
        price = (
            f"Batch request `{request.id}` will cost about **{estimate.pu.likely:,.2f} PU** "
            f"({estimate.pu.low:,.2f} to {estimate.pu.high:,.2f}). It is analysed and not started."
        )
        self.body = "\n\n".join(part for part in (self.body, price, estimate.table("markdown")) if part)
        return super().execute(context)
