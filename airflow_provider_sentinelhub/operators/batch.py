"""One operator for the whole life of a batch request."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import TaskDeferralTimeout

from airflow_provider_sentinelhub.hooks.sentinelhub import failing_for_good
from airflow_provider_sentinelhub.links import store_dashboard
from airflow_provider_sentinelhub.operators.base import DefinitionOperator
from airflow_provider_sentinelhub.operators.memory import TaskMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.models import BatchRequest

# The deadline is kept by the trigger; Airflow's own comes this much later, for a trigger that never ran.
_BACKSTOP = timedelta(minutes=10)
# The service may count its lock from a moment later than ours: asked again after so many seconds.
_ASK_AGAIN = 60.0
# Airflow ends a process 5 s after it has told it to.
_PATIENCE = 4.5


class SentinelHubBatchOperator(DefinitionOperator):
    """Create, analyse and start a batch request, wait for it, and return what came of it. **Paid once.**

    Before it creates, it looks for a request of its own: each carries a mark in its description of who asks
    (connection, Dag, run, task, map index) and for what (the definition without keys and description). So a
    crash, a retry, a lost reply or a clear at any point goes on with the same request: one that runs is
    waited for, one that is done is the result, a stopped one is started again as soon as the service allows.
    A FAILED one, and a changed definition, make a new one.

    Returns a dict: ``request_id``, ``status``, ``cost_pu``, ``delivery`` (the folder) and ``tiles`` (how many
    were delivered; None where they cannot be checked: a Zarr, or a bucket that is not on S3). The id is also
    the XCom ``request_id``, as soon as it is known.

    Takes the arguments of `DefinitionOperator`, and:

    :param request_id: wait for, and start if need be, this request instead of one of its own; the definition
        is then not looked at. (templated)
    :param analyse_only: end with the analysis, which is free; ``tiles`` is None.
    :param wait_for_completion: if False, end as soon as the request is started.
    :param timeout: seconds that this attempt may take in all; when they are over, the request is stopped (but
        see ``cancel_on_kill``) and the task fails.
    :param poll_interval: seconds between two looks.
    :param cancel_on_kill: stop the request when a person marks the task or its run as failed or deletes the
        run, and when ``timeout`` is over. Clearing the task never stops it.
    :param reuse: ``"always"``, or ``"never"``: each attempt, a retry included, asks for a new request.
    :param aws_conn_id: AWS connection that may read the bucket, to check the delivered tiles; without it,
        ``delivery_aws_conn_id`` is used. (templated)
    :param deferrable: wait in the triggerer and free the worker.
    """

    template_fields: Sequence[str] = ("request_id", "aws_conn_id", *DefinitionOperator.template_fields)

    def __init__(
        self,
        *,
        request_id: str | None = None,
        analyse_only: bool = False,
        wait_for_completion: bool = True,
        timeout: float = timedelta(days=1).total_seconds(),
        poll_interval: float = 30.0,
        cancel_on_kill: bool = True,
        reuse: Literal["always", "never"] = "always",
        aws_conn_id: str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        if request_id is not None:
            # Nothing need be said about a request that exists.
            kwargs.setdefault("definition", {})
        super().__init__(**kwargs)
        self.request_id = request_id
        self.analyse_only = analyse_only
        self.wait_for_completion = wait_for_completion
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.cancel_on_kill = cancel_on_kill
        self.reuse = reuse
        self.aws_conn_id = aws_conn_id
        self.deferrable = deferrable
        # What `on_kill` needs, which is called without a context, in the middle of anything.
        self._acting: tuple[Any, str] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Find or create the request, and see it through."""
        memory = TaskMemory.of(context)
        memory.deadline = time.time() + self.timeout
        with failing_for_good():
            store_dashboard(context, self.hook.client.deployment)
            memory.request_id = self.request_id or self._find_or_create(context, memory)
            memory.save()
            context["ti"].xcom_push(key="request_id", value=memory.request_id)
            # Only a new attempt takes up what was stopped: a stop while this one waits is somebody's will.
            return self._see_through(context, memory.request_id, memory.deadline, restart=True)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Look again when the trigger has fired, and go on."""
        with failing_for_good():
            return self._see_through(
                context, event["request_id"], float(event["deadline"]), restart=bool(event["restart"])
            )

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on as well when Airflow's own time limit has ended a wait that no triggerer looked after."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            memory = TaskMemory.of(context)
            if memory.request_id is None or memory.deadline is None:
                raise
            with failing_for_good():
                return self._see_through(context, memory.request_id, memory.deadline, restart=False)

    def on_kill(self) -> None:
        """Stop the request if a person has killed the task for good; called within a signal handler."""
        if self._acting is None or not self.cancel_on_kill:
            return
        # The thread that was interrupted may hold what asking Airflow needs: another one asks, and what it
        # has not done when Airflow loses patience is not done.
        asking = threading.Thread(target=self._stop_if_killed_for_good, args=self._acting, daemon=True)
        asking.start()
        asking.join(_PATIENCE)

    def _stop_if_killed_for_good(self, task_instance: Any, request_id: str) -> None:
        from airflow_provider_sentinelhub.client.actions import stop_if_running
        from airflow_provider_sentinelhub.triggers.kills import killed_for_good

        if killed_for_good(task_instance) and stop_if_running(self.hook.client, request_id):
            self.log.info("The task was killed: batch request %s is stopped", request_id)

    def _find_or_create(self, context: Context, memory: TaskMemory) -> str:
        from airflow_provider_sentinelhub.client.adoption import Asker
        from airflow_provider_sentinelhub.client.fingerprint import Fingerprint

        definition = self._definition()
        if any(definition.faults()):
            self._check(definition, self.hook.client)
        fingerprint = Fingerprint.of(self._who(context), definition.without_keys().to_wire())
        asker = Asker(self.hook.client, fingerprint, memory)
        memory.save()
        found = asker.find()
        if found is not None:
            self.log.info("Found batch request %s of an earlier attempt: %s", found.id, found.progress)
            return found.id
        self._check(definition, self.hook.client)
        request, new = asker.find_or_create(definition.signed(fingerprint).to_wire())
        what = "Created" if new else "Found"
        self.log.info("%s batch request %s, delivering to %s", what, request.id, definition.delivery.url)
        return request.id

    def _claim(self, context: Context, request: BatchRequest) -> str:
        """Settle which request to pay for, should two attempts at once have created one each."""
        from airflow_provider_sentinelhub.client.adoption import Asker
        from airflow_provider_sentinelhub.client.fingerprint import Fingerprint

        fingerprint = Fingerprint.read(request.description)
        if self.request_id is not None or fingerprint is None:
            return request.id
        chosen = Asker(self.hook.client, fingerprint, TaskMemory.of(context)).find() or request
        if chosen.id != request.id:
            self.log.warning("Batch request %s is left for %s, its older twin", request.id, chosen.id)
            context["ti"].xcom_push(key="request_id", value=chosen.id)
            self._acting = (context["ti"], chosen.id)
        return chosen.id

    def _who(self, context: Context) -> dict[str, Any]:
        """Name who asks: two tasks, runs or map indices never get each other's request."""
        instance = context["ti"]
        who = {
            "connection": self.sentinelhub_conn_id,
            "dag": instance.dag_id,
            "run": instance.run_id,
            "task": instance.task_id,
            "map_index": instance.map_index,
        }
        return who if self.reuse == "always" else {**who, "try": instance.try_number}

    def _see_through(
        self, context: Context, request_id: str, deadline: float, *, restart: bool
    ) -> dict[str, Any]:
        """Do whatever comes next, until the request has come to its end or the worker is freed."""
        from airflow_provider_sentinelhub.client import actions
        from airflow_provider_sentinelhub.client.errors import InvalidRequestError
        from airflow_provider_sentinelhub.client.judge import Step, next_step, restart_allowed_at

        self._acting = (context["ti"], request_id)
        client = self.hook.client
        while True:
            request = actions.look(client, request_id)
            self.log.info("Batch request %s: %s", request_id, request.progress)
            step = next_step(
                request, analyse_only=self.analyse_only, restart=restart, wait=self.wait_for_completion
            )
            if step is Step.FINISH:
                return self._result(request)
            if time.time() >= deadline:
                raise self._timed_out(request)
            not_before = 0.0
            if step is Step.RESTART:
                try:
                    actions.ensure_started(client, request_id)
                    restart = False
                    continue
                except InvalidRequestError as refusal:
                    # Asked first and computed then: only the service's own clock counts.
                    self.log.info("Not restarted yet: %s", refusal)
                    not_before = max(restart_allowed_at(request).timestamp(), time.time() + _ASK_AGAIN)
            elif step is Step.ANALYSE:
                actions.ensure_analysed(client, request_id)
                continue
            elif step is Step.START:
                request_id = self._claim(context, request)
                actions.ensure_started(client, request_id)
                continue
            from airflow_provider_sentinelhub.triggers.batch import SentinelHubBatchTrigger

            trigger = SentinelHubBatchTrigger(
                request_id=request_id,
                target_status=step.goal,
                sentinelhub_conn_id=self.sentinelhub_conn_id,
                poll_interval=self.poll_interval,
                deadline=deadline,
                not_before=not_before,
                restart=step is Step.RESTART,
                cancel_on_kill=self.cancel_on_kill,
            )
            if self.deferrable:
                left = timedelta(seconds=max(0.0, deadline - time.time()))
                self.defer(trigger=trigger, method_name="execute_complete", timeout=left + _BACKSTOP)
            restart = bool(asyncio.run(trigger.wait())["restart"])

    def _timed_out(self, request: BatchRequest) -> Exception:
        from airflow_provider_sentinelhub.client.actions import stop_if_running
        from airflow_provider_sentinelhub.client.errors import BatchTimeoutError, SentinelHubError

        state = f"is not done after {self.timeout:g} s ({request.progress})"
        if not self.cancel_on_kill:
            return BatchTimeoutError(request.id, f"{state} and goes on.")
        try:
            stopped = stop_if_running(self.hook.client, request.id)
        except SentinelHubError as error:
            return BatchTimeoutError(request.id, f"{state} and could not be stopped ({error}).")
        return BatchTimeoutError(request.id, f"{state} and was {'stopped' if stopped else 'not running'}.")

    def _result(self, request: BatchRequest) -> dict[str, Any]:
        from airflow_provider_sentinelhub.client.tiles import delivery_place

        return {
            "request_id": request.id,
            "status": request.raw_status,
            "cost_pu": request.cost_pu,
            "delivery": delivery_place(request),
            "tiles": self._count_tiles(request),
        }

    def _count_tiles(self, request: BatchRequest) -> int | None:
        from airflow_provider_sentinelhub.client.judge import processed
        from airflow_provider_sentinelhub.client.tiles import has_tiles, list_tiles
        from airflow_provider_sentinelhub.hooks.delivery import bucket_client

        if not processed(request) or not has_tiles(request):
            return None
        aws_conn_id = self.aws_conn_id or self._said("delivery_aws_conn_id")
        if not aws_conn_id:
            self.log.warning(
                "The delivery of batch request %s is not checked: name a connection that may read the bucket "
                "in aws_conn_id.",
                request.id,
            )
            return None
        return len(list_tiles(bucket_client(aws_conn_id), request))
