"""The whole life of a batch request: found or created, analysed, started, waited for, stopped when killed."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import TaskDeferralTimeout

from airflow_provider_sentinelhub.hooks.sentinelhub import failing_for_good
from airflow_provider_sentinelhub.links import store_dashboard
from airflow_provider_sentinelhub.operators.base import SentinelHubOperator
from airflow_provider_sentinelhub.operators.memory import TaskMemory

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.judge import Step
    from airflow_provider_sentinelhub.client.models import BatchRequest

# The deadline is kept by the trigger; Airflow's own comes this much later, for a trigger that never ran.
_BACKSTOP = timedelta(minutes=10)
# The service may count its lock from a moment later than ours: asked again after so many seconds.
_ASK_AGAIN = 60.0
# Airflow ends a process 5 s after it has told it to.
_PATIENCE = 4.5


class WholeLifeOperator(SentinelHubOperator):
    """Base of the operators that see a batch request through to its end. **Paid once.**

    :param timeout: seconds that this attempt may take in all; when they are over, the request is stopped (but
        see ``cancel_on_kill``) and the task fails.
    :param poll_interval: seconds between two looks. Deferred, a few at least: Airflow 3.3 fails a task
        that is resumed before its scheduler has noticed that it waits.
    :param cancel_on_kill: stop the request when a person marks the task or its run as failed or deletes the
        run, and when ``timeout`` is over. Clearing the task never stops it.
    :param deferrable: wait in the triggerer and free the worker.
    """

    analyse_only = False
    wait_for_completion = True
    # Whether the analysis is waited for before a start even if nothing else is.
    analyse_first = False
    # A request that the author has named, instead of one that is looked for.
    request_id: str | None = None

    def __init__(
        self,
        *,
        timeout: float = timedelta(days=1).total_seconds(),
        poll_interval: float = 30.0,
        cancel_on_kill: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.cancel_on_kill = cancel_on_kill
        self.deferrable = deferrable
        # What `on_kill` needs, which is called without a context, in the middle of anything.
        self._acting: tuple[Any, str] | None = None

    def _find_or_create(self, context: Context, memory: TaskMemory) -> str:
        """Return the id of the request to see through."""
        raise NotImplementedError

    def _before_start(self, context: Context, request: BatchRequest) -> None:
        """Raise what speaks against paying for an analysed request, or for the rest of a stopped one."""

    def _seen(self, context: Context, request: BatchRequest) -> None:
        """Take note of a request, whenever it was looked at; raises what speaks against going on."""

    def _pu_limit(self) -> float | None:
        """Return the processing units over which a running request is looked at at once."""
        return None

    def _finish(self, context: Context, request: BatchRequest, deadline: float) -> dict[str, Any]:
        """Make the result of a request that has come to its end."""
        raise NotImplementedError

    def execute(self, context: Context) -> dict[str, Any]:
        """Find or create the request, and see it through."""
        memory = TaskMemory.of(context)
        memory.deadline = time.time() + self.timeout
        with failing_for_good():
            store_dashboard(context, self.hook.client.deployment)
            memory.request_id = self._find_or_create(context, memory)
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

    def _see_through(
        self, context: Context, request_id: str, deadline: float, *, restart: bool
    ) -> dict[str, Any]:
        """Do whatever comes next, until the request has come to its end or the worker is freed."""
        from airflow_provider_sentinelhub.client import actions
        from airflow_provider_sentinelhub.client.judge import Step, next_step

        client = self.hook.client
        while True:
            self._acting = (context["ti"], request_id)
            request = actions.look(client, request_id)
            self.log.info("Batch request %s: %s", request_id, request.progress)
            self._seen(context, request)
            step = next_step(
                request,
                analyse_only=self.analyse_only,
                restart=restart,
                wait=self.wait_for_completion,
                analyse_first=self.analyse_first,
            )
            if step is Step.FINISH:
                return self._finish(context, request, deadline)
            if time.time() >= deadline:
                raise self._timed_out(request)
            not_before = 0.0
            if step is Step.ANALYSE:
                actions.ensure_analysed(client, request_id)
            elif step is Step.START:
                claimed = self._claim(context, request)
                if claimed == request_id:
                    self._before_start(context, request)
                    actions.ensure_started(client, request_id)
                request_id = claimed
            elif step is Step.RESTART and (not_before := self._restart(context, request)) == 0:
                restart = False
            else:
                restart = self._wait(request_id, step, deadline, not_before)

    def _wait(self, request_id: str, step: Step, deadline: float, not_before: float) -> bool:
        """Wait in the triggerer, which ends this process, or here; returns whether a restart comes next."""
        from airflow_provider_sentinelhub.client.judge import Step
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
            stop_over_pu=self._pu_limit(),
        )
        if self.deferrable:
            left = timedelta(seconds=max(0.0, deadline - time.time()))
            self.defer(trigger=trigger, method_name="execute_complete", timeout=left + _BACKSTOP)
        return bool(asyncio.run(trigger.wait())["restart"])

    def _restart(self, context: Context, request: BatchRequest) -> float:
        """Start a stopped request again; returns 0, or when to ask once more (seconds since the epoch)."""
        from airflow_provider_sentinelhub.client.actions import ensure_started
        from airflow_provider_sentinelhub.client.errors import InvalidRequestError
        from airflow_provider_sentinelhub.client.judge import restart_allowed_at

        self._before_start(context, request)
        try:
            ensure_started(self.hook.client, request.id)
        except InvalidRequestError as refusal:
            # Asked first and computed then: only the service's own clock counts.
            self.log.info("Not restarted yet: %s", refusal)
            return max(restart_allowed_at(request).timestamp(), time.time() + _ASK_AGAIN)
        return 0.0

    def _claim(self, context: Context, request: BatchRequest) -> str:
        """Settle which request to pay for, should two attempts at once have created one each."""
        from airflow_provider_sentinelhub.client.adoption import Asker
        from airflow_provider_sentinelhub.client.fingerprint import Fingerprint

        fingerprint = Fingerprint.read(request.description)
        if fingerprint is None or request.id == self.request_id:
            return request.id
        chosen = Asker(self.hook.client, fingerprint, TaskMemory.of(context)).find() or request
        if chosen.id != request.id:
            self.log.warning("Batch request %s is left for %s, its older twin", request.id, chosen.id)
            context["ti"].xcom_push(key="request_id", value=chosen.id)
        return chosen.id

    def _who(self, context: Context) -> dict[str, Any]:
        """Name who asks: two tasks, runs or map indices never get each other's request."""
        instance = context["ti"]
        return {
            "connection": self.sentinelhub_conn_id,
            "dag": instance.dag_id,
            "run": instance.run_id,
            "task": instance.task_id,
            "map_index": instance.map_index,
        }

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
