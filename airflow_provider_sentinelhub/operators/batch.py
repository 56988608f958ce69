"""One operator for the whole life of a batch request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sentinelhub.hooks.sentinelhub import failing_for_good
from airflow_provider_sentinelhub.operators.definition import DefinitionOperator
from airflow_provider_sentinelhub.operators.delivering import DeliveringOperator
from airflow_provider_sentinelhub.operators.paying import PayingOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.hooks.geopackage import GeoPackageBuilder
    from airflow_provider_sentinelhub.operators.memory import TaskMemory


class SentinelHubBatchOperator(DefinitionOperator, DeliveringOperator):
    """Create, analyse and start a batch request, wait for it, and account for every tile. **Paid once.**

    Before it creates, it looks for a request of its own: each carries a mark in its description of who asks
    (connection, Dag, run, task, map index) and for what (the definition without keys and description). So a
    crash, a retry, a lost reply or a clear at any point goes on with the same request: one that runs is
    waited for, one that is done is the result, a stopped one is started again as soon as the service allows.
    A FAILED one, and a changed definition, make a new one.

    DONE is not the end: what was planned, what the service says it did and what lies on the bucket are held
    against each other. Where more tiles were lost than allowed, the task fails, or repairs them first.

    Returns a dict: ``request_id``, ``status``, ``cost_pu`` (repairs included), ``estimated_pu`` (the price at
    which they were started: ``low``, ``likely``, ``high``), ``pu_ratio`` (cost by likely price), ``delivery``
    (the folder), ``tiles`` (how many were delivered), ``report`` (the counts of a `TileReport`) and
    ``repairs`` (ids). Where something is not known, or cannot be checked, it is None. The id is also the XCom
    ``request_id``, as soon as it is known; the counts are the XCom ``report``, even if the task then fails.
    Outlets get an asset event with the same figures and the time range. With ``dry_run`` it returns what it
    would have asked for, and does nothing of this.

    Takes the arguments of `DefinitionOperator`, `DeliveringOperator`, `PayingOperator` and
    `WholeLifeOperator`, and:

    :param request_id: wait for, and start if need be, this request instead of one of its own; the definition
        is then not looked at. (templated)
    :param analyse_only: end with the analysis, which is free.
    :param wait_for_completion: if False, end as soon as the request is started; with ``max_pu`` or ``budget``
        the analysis is waited for all the same.
    :param reuse: ``"always"``, or ``"never"``: each attempt, a retry included, asks for a new request.
    """

    template_fields: Sequence[str] = (
        "request_id",
        "aws_conn_id",
        "max_failed_tiles",
        "no_data",
        *PayingOperator.limits,
        *DefinitionOperator.template_fields,
    )

    def __init__(
        self,
        *,
        request_id: str | None = None,
        analyse_only: bool = False,
        wait_for_completion: bool = True,
        reuse: Literal["always", "never"] = "always",
        **kwargs: Any,
    ) -> None:
        if request_id is not None:
            # Nothing need be said about a request that exists.
            kwargs.setdefault("definition", {})
        super().__init__(**kwargs)
        self.request_id = request_id
        self.analyse_only = analyse_only
        self.wait_for_completion = wait_for_completion
        self.reuse = reuse

    def execute(self, context: Context) -> dict[str, Any]:
        """Find or create the request, and see it through; or say what it would be."""
        with failing_for_good():
            if self._wants_dry_run():
                return self._dry_run()
        return super().execute(context)

    def _dry_run(self) -> dict[str, Any]:
        from airflow_provider_sentinelhub.client.delivery.report import DeliveryPolicy

        DeliveryPolicy(self.max_failed_tiles, self.no_data).check_itself()
        if self.request_id is None:
            return super()._dry_run()
        known = self._look(self.request_id)
        self.log.info("Dry run: batch request %s is left as it is: %s", known.id, known.progress)
        return {"request_id": known.id, "status": known.raw_status}

    def _find_or_create(self, context: Context, memory: TaskMemory) -> str:
        from airflow_provider_sentinelhub.client.delivery.report import DeliveryPolicy

        if self.request_id is not None:
            DeliveryPolicy(self.max_failed_tiles, self.no_data).check_itself()
            return self.request_id
        with self._geopackage_builder() as builder:
            return self._find_or_ask(context, memory, builder)

    def _find_or_ask(self, context: Context, memory: TaskMemory, builder: GeoPackageBuilder) -> str:
        from airflow_provider_sentinelhub.client.adoption import Asker
        from airflow_provider_sentinelhub.client.delivery.report import DeliveryPolicy
        from airflow_provider_sentinelhub.client.errors import DefinitionError
        from airflow_provider_sentinelhub.client.fingerprint import Fingerprint

        definition = self._definition(builder)
        faults = list(DeliveryPolicy(self.max_failed_tiles, self.no_data).faults())
        if faults or any(definition.faults()):
            try:
                self._check(definition, self.hook.client)
            except DefinitionError as error:
                faults = [*error.faults, *faults]
            raise DefinitionError(faults)
        fingerprint = Fingerprint.of(self._who(context), definition.without_keys().to_wire())
        asker = Asker(self.hook.client, fingerprint, memory)
        memory.save()
        found = asker.find()
        if found is not None:
            self.log.info("Found batch request %s of an earlier attempt: %s", found.id, found.progress)
            return found.id
        self._check(definition, self.hook.client)
        builder.upload()
        request, new = asker.find_or_create(definition.signed(fingerprint).to_wire())
        what = "Created" if new else "Found"
        self.log.info("%s batch request %s, delivering to %s", what, request.id, definition.delivery.url)
        return request.id

    def _writing_conn_id(self) -> str:
        return str(self._said("delivery_aws_conn_id") or "")

    def _who(self, context: Context) -> dict[str, Any]:
        who = super()._who(context)
        return who if self.reuse == "always" else {**who, "try": context["ti"].try_number}
