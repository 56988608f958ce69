"""What every operator has: the connection and the link."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_provider_sentinelhub.links import SentinelHubDashboardLink

if TYPE_CHECKING:
    from collections.abc import Sequence


class SentinelHubOperator(BaseOperator):
    """Base of all operators.

    :param sentinelhub_conn_id: the Sentinel Hub connection. (templated)
    """

    template_fields: Sequence[str] = ("sentinelhub_conn_id",)
    operator_extra_links = (SentinelHubDashboardLink(),)
    ui_color = "#dff2d8"

    def __init__(
        self, *, sentinelhub_conn_id: str = SentinelHubHook.default_conn_name, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sentinelhub_conn_id = sentinelhub_conn_id

    @cached_property
    def hook(self) -> SentinelHubHook:
        """The hook of ``sentinelhub_conn_id``."""
        return SentinelHubHook(self.sentinelhub_conn_id)
