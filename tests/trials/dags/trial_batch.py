"""One task, mapped over whatever the run's conf asks for, that may kill its own process at a chosen moment.

``{"trials": [{"description": …, "deferrable": …, "dies": …}, …]}``; ``dies`` is one of `MOMENTS` or null.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_sentinelhub.client import adoption
from airflow_provider_sentinelhub.operators.batch import SentinelHubBatchOperator

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

# The sandbox lists a request at once: a create that it does not show after so long was never done.
adoption.SETTLE_SECONDS = 3.0

MOMENTS = (
    "before create",
    "after create",
    "after analyse",
    "before start",
    "after start",
    "while polling",
    "while finishing",
)

EVALSCRIPT = """//VERSION=3
function setup() {
  return {input: ["B04", "B08"], output: {id: "NDVI", bands: 1, sampleType: "FLOAT32"}};
}
function evaluatePixel(s) { return {NDVI: [(s.B08 - s.B04) / (s.B08 + s.B04)]}; }
"""
ONE_TILE = {
    "type": "Polygon",
    "coordinates": [
        [[-119.24, 36.05], [-119.23, 36.05], [-119.23, 36.06], [-119.24, 36.06], [-119.24, 36.05]]
    ],
}


class MortalBatchOperator(SentinelHubBatchOperator):
    """The operator under trial; its first attempt ends with SIGKILL at the moment named by ``dies``."""

    def __init__(self, *, dies: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dies = dies

    def execute(self, context: Context) -> dict[str, Any]:
        """Execute, to the death."""
        if self.dies is not None and context["ti"].try_number == 1:
            arm(self.dies)
        return super().execute(context)


def arm(moment: str) -> None:
    """Have this process kill itself at a moment: right before or right after the call that it names."""
    from airflow_provider_sentinelhub.client.batch import BatchClient
    from airflow_provider_sentinelhub.client.delivery import ledger

    if moment == "while polling":
        replace(BatchClient, "get", after=sees_it_processed_twice())
    elif moment == "while finishing":
        replace(ledger, "open_ledger", before=die)
    else:
        when, _, name = moment.partition(" ")
        replace(BatchClient, name, **{when: die})


def replace(owner: Any, name: str, **hooks: Callable[..., None]) -> None:
    """Call a hook ``before`` or ``after`` a function; after it, with what it has returned."""
    original = getattr(owner, name)

    def hooked(*arguments: Any, **keywords: Any) -> Any:
        if "before" in hooks:
            hooks["before"]()
        result = original(*arguments, **keywords)
        if "after" in hooks:
            hooks["after"](result)
        return result

    setattr(owner, name, hooked)


def die(*_: object) -> None:
    """End this process as the kernel would for lack of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def sees_it_processed_twice() -> Callable[..., None]:
    """Return a hook that dies of the second answer that says PROCESSING: the first is not from a poll."""
    seen = []

    def look(request: Any) -> None:
        if str(request.status) == "PROCESSING":
            seen.append(request)
        if len(seen) == 2:
            die()

    return look


def trial_dag(dag_id: str, at_once: int) -> DAG:
    """Make a Dag of which so many tasks may hold a worker at once."""
    with DAG(
        dag_id=dag_id,
        schedule=None,
        start_date=pendulum.datetime(2020, 7, 1, tz="UTC"),
        catchup=False,
        max_active_tasks=at_once,
        is_paused_upon_creation=False,
    ) as dag:

        @task
        def plan(**context: Any) -> list[dict[str, Any]]:
            return list(context["params"]["trials"])

        MortalBatchOperator.partial(
            task_id="batch",
            evalscript=EVALSCRIPT,
            area=ONE_TILE,
            time_range=("2020-07-01", "2020-07-31"),
            collection="sentinel-2-l1c",
            tiling_grid_id=1,
            resolution=20,
            outputs=["NDVI"],
            delivery_url="s3://sandbox/trials",
            delivery_aws_conn_id="aws_default",
            poll_interval=2,
            timeout=3600,
            retries=3,
            retry_delay=timedelta(seconds=1),
        ).expand_kwargs(plan())
    return dag


few = trial_dag("trial_few", at_once=8)
many = trial_dag("trial_many", at_once=24)
