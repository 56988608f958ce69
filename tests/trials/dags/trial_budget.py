"""Many requests against one budget, as many at once as Airflow has workers.

``{"count": 100, "budget": "trial"}``
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_sentinelhub.operators.batch import SentinelHubBatchOperator

EVALSCRIPT = """//VERSION=3
function setup() { return {input: ["B04"], output: {id: "red", bands: 1, sampleType: "FLOAT32"}}; }
function evaluatePixel(sample) { return {red: [sample.B04]}; }
"""
# Of one tile.
AREA = {
    "type": "Polygon",
    "coordinates": [
        [[-119.24, 36.05], [-119.23, 36.05], [-119.23, 36.06], [-119.24, 36.06], [-119.24, 36.05]]
    ],
}


@task
def numbers(**context: Any) -> list[str]:
    """Return a description for each request."""
    return [f"number {number}" for number in range(context["params"]["count"])]


with DAG(
    dag_id="trial_budget",
    schedule=None,
    start_date=pendulum.datetime(2020, 7, 1, tz="UTC"),
    catchup=False,
    max_active_tasks=200,
    params={"count": 100, "budget": "trial"},
) as dag:
    SentinelHubBatchOperator.partial(
        task_id="batch",
        max_active_tis_per_dag=200,
        evalscript=EVALSCRIPT,
        area=AREA,
        time_range=("2020-07-01", "2020-07-31"),
        collection="sentinel-2-l1c",
        tiling_grid_id=1,
        resolution=20,
        outputs=["red"],
        delivery_url="s3://sandbox/budget",
        delivery_aws_conn_id="aws_default",
        budget="{{ params.budget }}",
        wait_for_completion=False,
        poll_interval=1,
        # For a database that is busy; a request that does not fit is not tried again.
        retries=3,
        retry_delay=timedelta(seconds=5),
    ).expand(description=numbers())
