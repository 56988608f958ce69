"""Process again what a batch request has failed to deliver, and only that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.operators.base import SentinelHubOperator
from airflow_provider_sentinelhub.operators.delivering import DeliveringOperator
from airflow_provider_sentinelhub.operators.paying import PayingOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.operators.memory import TaskMemory


class SentinelHubRepairBatchOperator(DeliveringOperator):
    """Have the tiles of a DONE request that failed or are missing processed again, to the same places.

    A new request is made of just those tiles, and only they are paid for (the service bills at least 100 PU
    for a request). What it would write is held against the first request's plan before it is started. With
    nothing lost, nothing is done or paid. Found again after a crash or a clear, like any request of this
    provider's.

    Tiles with a buffer, and those of more than 3,500 pixels a side, are asked for with ``skipExisting``:
    tiles without data are then looked at again, too. Zarr deliveries cannot be repaired.

    Returns what `SentinelHubBatchOperator` returns, for the first request with its repairs; fails if the
    merged report still lacks more tiles than allowed.

    Takes the arguments of `DeliveringOperator` (``repair_attempts`` is 1), `PayingOperator` and
    `WholeLifeOperator`, and:

    :param request_id: the request to repair. (templated)
    """

    template_fields: Sequence[str] = (
        "request_id",
        "aws_conn_id",
        "delivery_aws_conn_id",
        "max_failed_tiles",
        "no_data",
        *PayingOperator.limits,
        *SentinelHubOperator.template_fields,
    )

    def __init__(self, *, request_id: str, repair_attempts: int = 1, **kwargs: Any) -> None:
        super().__init__(repair_attempts=repair_attempts, **kwargs)
        self.request_id: str = request_id

    def _find_or_create(self, context: Context, memory: TaskMemory) -> str:  # noqa: ARG002
        from airflow_provider_sentinelhub.client.delivery.report import DeliveryPolicy
        from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault, RepairError
        from airflow_provider_sentinelhub.client.judge import processed

        DeliveryPolicy(self.max_failed_tiles, self.no_data).check_itself()
        if not self._reading_conn_id():
            fault = Fault("aws_conn_id", "is missing", "Name an AWS connection that may read the bucket")
            raise DefinitionError([fault], subject="repair")
        request = self._look(self.request_id)
        if not processed(request):
            raise RepairError(
                request.id, f"is not DONE ({request.progress}): only what has ended can be repaired."
            )
        return request.id
