"""What comes after DONE: every tile is accounted for, and what was lost is asked for again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.assets import announce, delivery_extra
from airflow_provider_sentinelhub.operators.memory import TaskMemory
from airflow_provider_sentinelhub.operators.paying import PayingOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.delivery.ledger import Ledger
    from airflow_provider_sentinelhub.client.delivery.repair import Repair
    from airflow_provider_sentinelhub.client.delivery.report import TileReport
    from airflow_provider_sentinelhub.client.fingerprint import Fingerprint
    from airflow_provider_sentinelhub.client.models import BatchRequest


class DeliveringOperator(PayingOperator):
    """Base of the operators that answer for what a request delivers.

    :param aws_conn_id: AWS connection that may read the bucket, to account for the tiles; without it,
        ``delivery_aws_conn_id`` is used. (templated)
    :param delivery_aws_conn_id: AWS connection whose keys let the service write to the bucket. (templated)
    :param max_failed_tiles: how many tiles may be lost (failed, pending or missing), as a count, or as a
        percentage such as ``"2%"``. (templated)
    :param no_data: ``"ok"``, or ``"fail"`` if a tile without data is a failure. (templated)
    :param repair_attempts: how often to process the lost tiles again, where more were lost than allowed.
    """

    def __init__(
        self,
        *,
        aws_conn_id: str | None = None,
        delivery_aws_conn_id: str | None = None,
        max_failed_tiles: int | str = 0,
        no_data: str = "ok",
        repair_attempts: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id
        self.delivery_aws_conn_id = delivery_aws_conn_id
        self.max_failed_tiles = max_failed_tiles
        self.no_data = no_data
        self.repair_attempts = repair_attempts

    def _before_start(self, context: Context, request: BatchRequest) -> None:
        from airflow_provider_sentinelhub.client.delivery.repair import Repair, check_plan
        from airflow_provider_sentinelhub.hooks.delivery import bucket_client

        repair = Repair.of(request)
        if repair is not None:
            check_plan(bucket_client(self._reading_conn_id()), self._look(repair.original_id), request)
        super()._before_start(context, request)

    def _finish(self, context: Context, request: BatchRequest, deadline: float) -> dict[str, Any]:
        from airflow_provider_sentinelhub.client.delivery.folder import is_on_s3
        from airflow_provider_sentinelhub.client.delivery.ledger import open_ledger
        from airflow_provider_sentinelhub.client.delivery.repair import Repair
        from airflow_provider_sentinelhub.client.delivery.report import DeliveryPolicy
        from airflow_provider_sentinelhub.client.errors import IncompleteDeliveryError
        from airflow_provider_sentinelhub.client.judge import processed
        from airflow_provider_sentinelhub.hooks.delivery import bucket_client

        repair = Repair.of(request)
        original = request if repair is None else self._look(repair.original_id)
        if not processed(original) or not self._reading_conn_id() or not is_on_s3(original):
            return self._unchecked(context, original)
        with open_ledger(bucket_client(self._reading_conn_id()), original) as ledger:
            report = ledger.report
            self.log.info("%s", report.headline)
            self.log.info("\n%s", report.table())
            context["ti"].xcom_push(key="report", value=report.counts())
            try:
                DeliveryPolicy(self.max_failed_tiles, self.no_data).check(report)
            except IncompleteDeliveryError:
                repair_id = None if report.complete else self._find_or_create_repair(context, ledger)
                if repair_id is None:
                    raise
            else:
                return self._delivered(context, original, report)
        return self._see_through(context, repair_id, deadline, restart=True)

    def _delivered(self, context: Context, request: BatchRequest, report: TileReport) -> dict[str, Any]:
        spent = [request.cost_pu, *(self._look(repair_id).cost_pu for repair_id in report.repairs)]
        known = [cost for cost in spent if cost is not None]
        result = {
            "request_id": request.id,
            "status": request.raw_status,
            "cost_pu": sum(known) if known else None,
            "delivery": report.delivery,
            "tiles": report.delivered,
            "report": report.counts(),
            "repairs": list(report.repairs),
        }
        result = self._recorded(context, request, result)
        announce(context, self.outlets, report.delivery, delivery_extra(request.definition, result))
        return result

    def _unchecked(self, context: Context, request: BatchRequest) -> dict[str, Any]:
        from airflow_provider_sentinelhub.client.delivery.folder import is_on_s3, place_of
        from airflow_provider_sentinelhub.client.judge import processed

        if processed(request):
            why = (
                "name a connection that may read the bucket in aws_conn_id"
                if is_on_s3(request)
                else "it is not on S3, where this version can look"
            )
            self.log.warning("The delivery of batch request %s is not checked: %s.", request.id, why)
        elif self.analyse_only:
            self._price(context, request)
        result: dict[str, Any] = {
            "request_id": request.id,
            "status": request.raw_status,
            "cost_pu": request.cost_pu,
            "delivery": place_of(request),
            "tiles": None,
            "report": None,
            "repairs": [],
        }
        return self._recorded(context, request, result)

    def _find_or_create_repair(self, context: Context, ledger: Ledger) -> str | None:
        """Return the id of the repair that comes next: one that is still at it, else a new one; None if there
        have been enough of them.
        """
        from airflow_provider_sentinelhub.client.adoption import Asker
        from airflow_provider_sentinelhub.client.delivery.ledger import add_repair
        from airflow_provider_sentinelhub.client.delivery.repair import Repair, repair_definition
        from airflow_provider_sentinelhub.client.judge import adoptable, processed
        from airflow_provider_sentinelhub.hooks.delivery import bucket_client, delivery_keys

        original = ledger.request
        made = 0
        for number, repair_id in enumerate(ledger.repairs, start=1):
            known = self._look(repair_id)
            if adoptable(known) and not processed(known):
                self.log.info("Batch request %s repairs %s: %s", known.id, original.id, known.progress)
                return known.id
            ours = self._repair_mark(context, Repair(number, original.id)).marks(known.description)
            made += ours and processed(known)
        if made >= self.repair_attempts:
            return None
        repair = Repair(len(ledger.repairs) + 1, original.id)
        s3 = bucket_client(self._reading_conn_id())
        mark = self._repair_mark(context, repair)
        asker = Asker(self.hook.client, mark, TaskMemory.of(context))
        request = asker.find()
        if request is None:
            keys_conn_id = self._writing_conn_id()
            keys = delivery_keys(keys_conn_id) if keys_conn_id else None
            wire = repair_definition(s3, ledger, repair, keys)
            request, _ = asker.find_or_create({**wire, "description": mark.sign(wire["description"])})
        add_repair(s3, ledger.folder, original.id, request.id)
        self.log.info(
            "Batch request %s repairs %s: %d tiles", request.id, original.id, ledger.report.lost_count
        )
        return request.id

    def _repair_mark(self, context: Context, repair: Repair) -> Fingerprint:
        from airflow_provider_sentinelhub.client.fingerprint import Fingerprint

        return Fingerprint.of(self._who(context), {"repair": repair.number, "of": repair.original_id})

    def _reading_conn_id(self) -> str:
        """Return the connection that may read the bucket; empty if there is none."""
        return self.aws_conn_id or self._writing_conn_id()

    def _writing_conn_id(self) -> str:
        return self.delivery_aws_conn_id or ""

    def _look(self, request_id: str) -> BatchRequest:
        from airflow_provider_sentinelhub.client.actions import look

        return look(self.hook.client, request_id)
