"""Thirty wrong definitions, and what a newcomer reads about each."""

from __future__ import annotations

from typing import Any

import pytest
from random_definitions import ROLE, look_up
from support import box

from airflow_provider_sentinelhub.client.definition import BatchDefinition
from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.client.models import TilingGrid

GRIDS = [
    TilingGrid(1, "10km grid", 10000, 10000, "METRE", (10, 20)),
    TilingGrid(6, "LAEA 100km grid", 100000, 100000, "METRE", (40, 50, 100)),
]
SOUND: dict[str, Any] = {
    "evalscript": "//VERSION=3\n",
    "area": box(14, 45, 15, 46),
    "time_range": ("2020-07-01", "2020-07-31"),
    "tiling_grid_id": 1,
    "resolution": 10,
    "delivery_url": "s3://bucket/ndvi",
    "delivery_aws_conn_id": "aws_default",
}
ON_LAEA = {"tiling_grid_id": 6, "resolution": 50}
ARRAY = {"dtype": "<u2", "chunks": [1, 1000, 1000], "fill_value": 0}
FIELDS = {"tiling_grid_id": None, "resolution": None}

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"colection": "sentinel-2-l1c"}, ""),
    ({"evalscript": "ndvi.js"}, ""),
    ({"area": None}, ""),
    ({"time_range": "2020-07-01"}, ""),
    ({"time_range": ("01.07.2020", "31.07.2020")}, ""),
    ({"time_range": ("2020-07-31", "2020-07-01")}, ""),
    ({"time_range": None}, ""),
    ({"collection": "sentinel-2-l2b"}, ""),
    ({"collection": "landsat"}, ""),
    ({"max_cloud_coverage": 0.5, "collection": "sentinel-1-grd"}, ""),
    ({"max_cloud_coverage": "20%"}, ""),
    ({"max_cloud_coverage": 120}, ""),
    ({"mosaicking_order": "newest"}, ""),
    ({"collection": "sentinel-1-grd", "data_filter": {"orbit": "ASCENDING"}}, ""),
    ({"collection": "sentinel-1-grd", "data_filter": {"polarization": "VV+VH"}}, ""),
    ({"processing": {"orthorectify": True}}, ""),
    ({"data_filter": {"maxCloudCoverage": 20}}, ""),
    ({"sources": [{"collection": "sentinel-2-l2a"}, {"id": "dem", "collection": "dem"}]}, ""),
    ({"tiling_grid_id": 4}, ""),
    ({"resolution": 15}, ""),
    ({"buffer": 50}, ""),
    ({"outputs": {"NDVI": "image/png"}}, ""),
    ({"cog_parameters": {"blocksize": 512}, "cog": True}, ""),
    ({"create_collection": True}, ""),
    ({"delivery_url": "bucket/ndvi"}, ""),
    ({"delivery_url": "s3://bucket/<tile>/<outputId>.tif"}, ""),
    ({"delivery_aws_conn_id": None}, ""),
    ({"iam_role_arn": ROLE}, ""),
    ({"delivery": {"s3": {"url": "s3://b/x", "secretAccessKey": "x"}}, "delivery_url": None,
      "delivery_aws_conn_id": None}, ""),
    ({**FIELDS, "geopackage": "s3://bucket/fields/"}, ""),
    ({"geopackage": "s3://bucket/fields.gpkg"}, ""),
    ({**FIELDS, "geopackage": {"url": "s3://bucket/fields.gpkg", "width": 5000, "height": 5000}}, ""),
    ({"zarr": {"array_parameters": ARRAY}}, ""),
    ({**ON_LAEA, "zarr": {}}, ""),
    ({**ON_LAEA, "zarr": {"array_parameters": {**ARRAY, "chunks": [1, 300, 300]}}}, ""),
    ({**ON_LAEA, "zarr": {"array_parameters": {**ARRAY, "fill_value": -1}}}, ""),
    ({**ON_LAEA, "zarr": {"array_parameters": {**ARRAY, "dtype": "uint16"}}, "outputs": ["NDVI"]}, ""),
    ({**ON_LAEA, "zarr": {"array_parameters": ARRAY}, "overwrite": True}, ""),
]


def message(change: dict[str, Any]) -> str:
    with pytest.raises(DefinitionError) as raised:
        BatchDefinition.read({**SOUND, **change}, folders=["dags"], look_up=look_up).check(GRIDS)
    return "\n".join(map(str, raised.value.faults))


@pytest.mark.parametrize(("change", "expected"), WRONG, ids=lambda value: str(value)[:40])
def test_what_a_newcomer_reads(change: dict[str, Any], expected: str) -> None:
    assert message(change) == expected
