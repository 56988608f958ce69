"""The same NDVI job with one operator for the whole life of the request: paid once, whatever happens.

Needs two Airflow connections, ``sentinelhub_default`` and ``aws_default``; the sandbox prints both.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_sentinelhub.operators.batch import SentinelHubBatchOperator
from airflow_provider_sentinelhub.sensors.tiles import SentinelHubTilesSensor

# The area of Sentinel Hub's own batch tutorial, in longitude and latitude.
CROP_FIELDS = {
    "type": "Polygon",
    "coordinates": [
        [
            [-119.2089, 36.1383],
            [-119.1323, 36.0980],
            [-119.1282, 35.9869],
            [-119.2264, 35.9532],
            [-119.3263, 35.9822],
            [-119.3488, 36.0899],
            [-119.2089, 36.1383],
        ]
    ],
}


@task
def describe(tile: dict[str, Any]) -> str:
    """Your own work on one tile goes here; this says where it is."""
    return f"{tile['name']} in {tile['crs']}: {tile['outputs']['NDVI']}"


with DAG(
    dag_id="example_ndvi_batch_operator",
    schedule=None,
    start_date=pendulum.datetime(2020, 7, 1, tz="UTC"),
    catchup=False,
    tags=["example", "sentinelhub"],
    params={"delivery_url": "s3://sandbox/ndvi", "resolution": 10},
    doc_md=__doc__,
) as dag:
    # Creates, analyses, starts and waits in the triggerer. Run it again after any failure: it goes on with
    # the request that it has. Mark it failed while it waits: the request is stopped.
    batch = SentinelHubBatchOperator(
        task_id="batch",
        evalscript="ndvi.js",
        collection="sentinel-2-l1c",
        area=CROP_FIELDS,
        time_range=("2020-07-01", "2020-07-31"),
        outputs=["NDVI", "data_mask"],
        tiling_grid_id=1,
        resolution="{{ params.resolution }}",
        buffer=(50, 50),
        delivery_url="{{ params.delivery_url }}",
        delivery_aws_conn_id="aws_default",
        poll_interval=5,
        deferrable=True,
        retries=3,
    )
    tiles = SentinelHubTilesSensor(task_id="tiles", request_id=batch.output["request_id"])
    describe.expand(tile=tiles.output)
