"""One operator for each step in the life of a batch request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.hooks.sentinelhub import failing_for_good
from airflow_provider_sentinelhub.links import store_dashboard
from airflow_provider_sentinelhub.operators.base import SentinelHubOperator
from airflow_provider_sentinelhub.operators.definition import DefinitionOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.batch import BatchClient
    from airflow_provider_sentinelhub.client.models import BatchRequest


class _StepOperator(SentinelHubOperator):
    """What the steps share: they act once and return the id of the batch request."""

    def execute(self, context: Context) -> str:
        """Act, and return the id of the batch request."""
        with failing_for_good():
            client = self.hook.client
            store_dashboard(context, client.deployment)
            request = self._act(client)
        self.log.info("Batch request %s: %s", request.id, request.progress)
        return request.id

    def _act(self, client: BatchClient) -> BatchRequest:
        raise NotImplementedError


class SentinelHubCreateBatchOperator(DefinitionOperator, _StepOperator):
    """Create a batch request; nothing is computed or paid until it is started. Returns its id.

    Everything that can be known to be wrong is said at once, before anything is created: the definition, the
    grid and its resolutions (asked of the service), the evalscript (with the ``evalscript`` extra installed)
    and the bucket (asked of the storage).

    With ``dry_run`` it returns what it would have asked for, instead of an id.

    Takes the arguments of `DefinitionOperator`.
    """

    def execute(self, context: Context) -> Any:
        """Create the request and return its id; a dict for a dry run."""
        with failing_for_good():
            if self._wants_dry_run():
                return self._dry_run()
        return super().execute(context)

    def _act(self, client: BatchClient) -> BatchRequest:
        with self._geopackage_builder() as builder:
            definition = self._definition(builder)
            self._check(definition, client)
            builder.upload()
        request = client.create(definition.to_wire())
        self.log.info("Created batch request %s, delivering to %s", request.id, definition.delivery.url)
        # The service may not know its own new request for a while: whoever comes next finds it.
        return client.get(request.id)


class _ActionOperator(_StepOperator):
    """What the operators share that act on a request that exists."""

    template_fields: Sequence[str] = ("request_id", *SentinelHubOperator.template_fields)

    def __init__(self, *, request_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request_id = request_id


class SentinelHubAnalyseBatchOperator(_ActionOperator):
    """Have a batch request analysed, which is free: the evalscript is checked and the tiles are listed.

    Does nothing if that was asked for before. Returns the request's id.

    :param request_id: the batch request. (templated)
    :param sentinelhub_conn_id: the Sentinel Hub connection. (templated)
    """

    def _act(self, client: BatchClient) -> BatchRequest:
        from airflow_provider_sentinelhub.client.actions import ensure_analysed

        return ensure_analysed(client, self.request_id)


class SentinelHubStartBatchOperator(_ActionOperator):
    """Start a batch request: from here on it is paid for.

    Does nothing if it was started before; a stopped request is started again, which the service allows 30
    minutes after the stop. Returns the request's id.

    :param request_id: the batch request. (templated)
    :param sentinelhub_conn_id: the Sentinel Hub connection. (templated)
    """

    def _act(self, client: BatchClient) -> BatchRequest:
        from airflow_provider_sentinelhub.client.actions import ensure_started

        return ensure_started(client, self.request_id)


class SentinelHubStopBatchOperator(_ActionOperator):
    """Stop a batch request. What was delivered stays and is paid for; a restart is refused for 30 minutes.

    Does nothing if it has ended or was told to stop before. Returns the request's id.

    :param request_id: the batch request. (templated)
    :param sentinelhub_conn_id: the Sentinel Hub connection. (templated)
    """

    def _act(self, client: BatchClient) -> BatchRequest:
        from airflow_provider_sentinelhub.client.actions import ensure_stopped

        return ensure_stopped(client, self.request_id)
