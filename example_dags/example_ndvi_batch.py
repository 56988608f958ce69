"""NDVI of Californian crop fields in July 2020: the life of a batch request, one task for each step.

create → analyse → wait → start → wait → tiles → one task per tile → a table

Needs two Airflow connections, ``sentinelhub_default`` and ``aws_default``; the sandbox prints both.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_sentinelhub.operators.steps import (
    SentinelHubAnalyseBatchOperator,
    SentinelHubCreateBatchOperator,
    SentinelHubStartBatchOperator,
)
from airflow_provider_sentinelhub.sensors.batch import SentinelHubBatchSensor
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
def mean_ndvi(tile: dict[str, Any]) -> dict[str, Any]:
    """Open one tile's GeoTIFF and return its mean NDVI and the share of its pixels that were ever clear."""
    import io

    import rasterio

    from airflow_provider_sentinelhub.hooks.delivery import bucket_client

    bucket, _, key = tile["outputs"]["NDVI"].removeprefix("s3://").partition("/")
    content = bucket_client("aws_default").get_object(Bucket=bucket, Key=key)["Body"].read()
    with rasterio.open(io.BytesIO(content)) as image:
        ndvi = image.read(1, masked=True)
    clear = ndvi.count()
    return {
        "tile": tile["name"],
        "mean_ndvi": round(float(ndvi.mean()), 4) if clear else None,
        "clear_percent": round(100 * clear / ndvi.size, 1),
    }


@task
def print_table(rows: list[dict[str, Any]]) -> None:
    """Print one line for each tile."""
    print(f"{'tile':<12} {'mean NDVI':>10} {'clear %':>8}")
    for row in sorted(rows, key=lambda row: row["tile"]):
        ndvi = "no data" if row["mean_ndvi"] is None else f"{row['mean_ndvi']:.4f}"
        print(f"{row['tile']:<12} {ndvi:>10} {row['clear_percent']:>8.1f}")


with DAG(
    dag_id="example_ndvi_batch",
    schedule=None,
    start_date=pendulum.datetime(2020, 7, 1, tz="UTC"),
    catchup=False,
    tags=["example", "sentinelhub"],
    params={"delivery_url": "s3://sandbox/ndvi", "resolution": 10},
    doc_md=__doc__,
) as dag:
    create = SentinelHubCreateBatchOperator(
        task_id="create",
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
        description="NDVI of crop fields, {{ run_id }}",
    )

    analyse = SentinelHubAnalyseBatchOperator(task_id="analyse", request_id=create.output)
    wait_for_analysis = SentinelHubBatchSensor(
        task_id="wait_for_analysis",
        request_id=create.output,
        target_status="ANALYSIS_DONE",
        poll_interval=5,
        timeout=timedelta(hours=1).total_seconds(),
        deferrable=True,
    )
    start = SentinelHubStartBatchOperator(task_id="start", request_id=create.output)
    wait_for_processing = SentinelHubBatchSensor(
        task_id="wait_for_processing",
        request_id=create.output,
        target_status="DONE",
        poll_interval=5,
        timeout=timedelta(days=1).total_seconds(),
        deferrable=True,
    )
    tiles = SentinelHubTilesSensor(task_id="tiles", request_id=create.output, deferrable=True)

    create >> analyse >> wait_for_analysis >> start >> wait_for_processing >> tiles
    print_table(mean_ndvi.expand(tile=tiles.output))
