"""A batch request whose price a person approves before it is paid.

analyse → ask → start and wait. The question, with the price and its terms, waits under "Required Actions".

Needs two Airflow connections, ``sentinelhub_default`` and ``aws_default``; the sandbox prints both.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG

from airflow_provider_sentinelhub.operators.approval import SentinelHubBatchApprovalOperator
from airflow_provider_sentinelhub.operators.batch import SentinelHubBatchOperator

# In longitude and latitude.
FIELDS = {
    "type": "Polygon",
    "coordinates": [
        [[-119.25, 36.00], [-119.15, 36.00], [-119.15, 36.10], [-119.25, 36.10], [-119.25, 36.00]],
    ],
}

with DAG(
    dag_id="example_approval",
    schedule=None,
    start_date=pendulum.datetime(2020, 7, 1, tz="UTC"),
    catchup=False,
    tags=["example", "sentinelhub"],
    params={"delivery_url": "s3://sandbox/approved", "resolution": 10},
    doc_md=__doc__,
) as dag:
    analyse = SentinelHubBatchOperator(
        task_id="analyse",
        analyse_only=True,
        evalscript="ndvi.js",
        collection="sentinel-2-l1c",
        area=FIELDS,
        time_range=("2020-07-01", "2020-07-31"),
        outputs=["NDVI", "data_mask"],
        tiling_grid_id=1,
        resolution="{{ params.resolution }}",
        delivery_url="{{ params.delivery_url }}",
        delivery_aws_conn_id="aws_default",
        poll_interval=5,
    )
    approve = SentinelHubBatchApprovalOperator(
        task_id="approve",
        request_id=analyse.output["request_id"],
        response_timeout=timedelta(days=3),
    )
    pay = SentinelHubBatchOperator(
        task_id="pay",
        request_id=analyse.output["request_id"],
        aws_conn_id="aws_default",
        poll_interval=5,
        deferrable=True,
        retries=3,
    )
    analyse >> approve >> pay
