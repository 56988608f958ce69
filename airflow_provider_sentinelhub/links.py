"""Links from a task to Sentinel Hub's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from airflow_provider_sentinelhub.client.deployments import Deployment

_KEY = "sentinelhub_dashboard"


class SentinelHubDashboardLink(BaseOperatorLink):
    """The deployment's dashboard, where the account's requests and processing units are shown."""

    name = "Sentinel Hub dashboard"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002
        """Return what the task has stored; empty for a deployment that has no dashboard."""
        from airflow.sdk.execution_time.xcom import XCom

        return str(XCom.get_value(key=_KEY, ti_key=ti_key) or "")


def store_dashboard(context: Context, deployment: Deployment) -> None:
    """Keep the dashboard's address for the link, as soon as it is known."""
    instance: Any = context["ti"]
    if deployment.dashboard_url:
        instance.xcom_push(key=_KEY, value=deployment.dashboard_url)
