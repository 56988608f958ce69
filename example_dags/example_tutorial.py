"""Sentinel Hub's tutorial of batch processing, step by step, with operators.

grids → previews (true colour, NDVI of a small part) → dry run → GeoTIFF, Zarr, single fields → past requests

Needs two Airflow connections, ``sentinelhub_default`` and ``aws_default``; the sandbox prints both.
``zarr_resolution`` is in degrees: 0.0001 is some 10 m.
"""

from __future__ import annotations

from typing import Any

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_sentinelhub.operators.batch import SentinelHubBatchOperator
from airflow_provider_sentinelhub.operators.process import SentinelHubProcessOperator
from airflow_provider_sentinelhub.sensors.tiles import SentinelHubTilesSensor

TIME_RANGE = ("2020-07-01", "2020-07-30")
# In longitude and latitude.
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
SUB_AREA = (-119.2778, 36.0400, -119.2135, 36.0806)


def field(name: str, west: float, south: float) -> dict[str, Any]:
    """Return a field of about 800 m by 800 m as GeoJSON."""
    east, north = west + 0.009, south + 0.0072
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "properties": {"field_id": name},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


FIELDS = {
    "type": "FeatureCollection",
    "features": [
        field("field-a", -119.2670, 36.0448),
        field("field-b", -119.2535, 36.0592),
        field("field-c", -119.2400, 36.0700),
    ],
}


@task
def print_grids() -> None:
    """Print the grids that the service offers, and those that come closest to a pixel of 15 m."""
    from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook

    hook = SentinelHubHook()
    for grid in hook.list_grids():
        print(f"{grid.id} {grid.name}: {', '.join(f'{one:g}' for one in grid.resolutions)} {grid.unit}")
    for offer in hook.fitting_grids(15):
        print(f"For 15 m: {offer.grid.name} at {offer.resolution:g} m")
    tiles, caveat = hook.tiles_of(CROP_FIELDS, 1)
    print(f"{hook.describe_grid(1).name}: {len(tiles)} tiles touch the area. {caveat}")


@task
def print_tile(tile: dict[str, Any]) -> None:
    """Print where the outputs of a tile are."""
    print(f"{tile['name']} in {tile['crs']}: {', '.join(tile['outputs'].values())}")


@task
def print_requests() -> None:
    """Print the account's latest batch requests."""
    from itertools import islice

    from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook

    for request in islice(SentinelHubHook().client.iter_requests(), 10):
        print(f"{request.id}: {request.progress}")


with DAG(
    dag_id="example_tutorial",
    schedule=None,
    start_date=pendulum.datetime(2020, 7, 1, tz="UTC"),
    catchup=False,
    tags=["example", "sentinelhub"],
    params={"delivery_url": "s3://sandbox/tutorial", "resolution": 10, "zarr_resolution": 0.001},
    doc_md=__doc__,
) as dag:
    true_color = SentinelHubProcessOperator(
        task_id="true_color",
        evalscript="true_color.js",
        area=CROP_FIELDS,
        time_range=TIME_RANGE,
        max_cloud_coverage=20,
        size=(512, 512),
        path="{{ params.delivery_url }}/previews/true_color.png",
        storage_conn_id="aws_default",
    )
    ndvi_test = SentinelHubProcessOperator(
        task_id="ndvi_test",
        evalscript="ndvi_series.js",
        collection="sentinel-2-l1c",
        area=SUB_AREA,
        time_range=TIME_RANGE,
        outputs=["NDVI", "data_mask"],
        resolution="{{ params.resolution }}",
        path="{{ params.delivery_url }}/previews/ndvi/",
        storage_conn_id="aws_default",
    )

    ndvi: dict[str, Any] = {
        "evalscript": "ndvi_series.js",
        "collection": "sentinel-2-l1c",
        "area": CROP_FIELDS,
        "time_range": TIME_RANGE,
        "outputs": ["NDVI", "data_mask"],
        "tiling_grid_id": 1,
        "resolution": "{{ params.resolution }}",
        "buffer": (50, 50),
        "cog": True,
        "delivery_url": "{{ params.delivery_url }}/cog",
        "delivery_aws_conn_id": "aws_default",
    }
    # Everything is checked, and nothing is created.
    dry_run = SentinelHubBatchOperator(task_id="dry_run", dry_run=True, check_write=True, **ndvi)
    cog = SentinelHubBatchOperator(task_id="cog", poll_interval=5, deferrable=True, **ndvi)
    tiles = SentinelHubTilesSensor(task_id="tiles", request_id=cog.output["request_id"])

    # A Zarr has one band for each output, and needs a grid with one CRS: 3 is in longitude and latitude.
    zarr = SentinelHubBatchOperator(
        task_id="zarr",
        evalscript="ndvi.js",
        collection="sentinel-2-l1c",
        area=CROP_FIELDS,
        time_range=TIME_RANGE,
        outputs=["NDVI", "data_mask"],
        tiling_grid_id=3,
        resolution="{{ params.zarr_resolution }}",
        zarr={
            "array_parameters": {"dtype": "float32", "chunks": [1, 125, 125], "fill_value": "NaN"},
            "array_overrides": {"data_mask": {"dtype": "uint8", "fill_value": 0}},
        },
        delivery_url="{{ params.delivery_url }}/zarr/<requestId>",
        delivery_aws_conn_id="aws_default",
        poll_interval=5,
        deferrable=True,
    )

    # The GeoPackage is made of the fields, and uploaded beside the delivery.
    fields = SentinelHubBatchOperator(
        task_id="fields",
        evalscript="ndvi.js",
        collection="sentinel-2-l1c",
        time_range=TIME_RANGE,
        outputs=["NDVI", "data_mask"],
        geopackage={"features": FIELDS, "resolution": 10, "identifier": "field_id"},
        delivery_url="{{ params.delivery_url }}/fields",
        delivery_aws_conn_id="aws_default",
        poll_interval=5,
        deferrable=True,
    )

    print_grids() >> [true_color, ndvi_test] >> dry_run >> [cog, zarr, fields] >> print_requests()
    print_tile.expand(tile=tiles.output)
