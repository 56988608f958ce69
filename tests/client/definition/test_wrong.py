"""Thirty wrong definitions, and what a newcomer reads about each."""

# ruff: noqa: E501

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
    (
        {"colection": "sentinel-2-l1c"},
        ("colection: is not part of a definition. Did you mean collection or collection_id?"),
    ),
    (
        {"evalscript": "ndvi.js"},
        (
            "evalscript: there is no file 'ndvi.js' in dags. Give its path relative to the Dag's file, or the script's text"
        ),
    ),
    ({"area": None}, ("area: is missing. Give one, such as a GeoJSON polygon in longitude and latitude")),
    (
        {"time_range": "2020-07-01"},
        (
            "time_range: cannot be read: '2020-07-01' is not a first and a last date. Give (first, last), such as ('2020-07-01', '2020-07-31'); a date means the whole day"
        ),
    ),
    (
        {"time_range": ("01.07.2020", "31.07.2020")},
        (
            "time_range: cannot be read: '01.07.2020' is neither a date (2020-07-01) nor a date-time (2020-07-01T10:30:00Z). Give (first, last), such as ('2020-07-01', '2020-07-31'); a date means the whole day"
        ),
    ),
    (
        {"time_range": ("2020-07-31", "2020-07-01")},
        (
            "time_range: runs backwards, from 2020-07-31T00:00:00Z to 2020-07-01T23:59:59Z. Give (first, last), such as ('2020-07-01', '2020-07-31'); a date means the whole day"
        ),
    ),
    (
        {"time_range": None},
        ("time_range: is missing. Give (first, last), such as ('2020-07-01', '2020-07-31')"),
    ),
    (
        {"collection": "sentinel-2-l2b"},
        (
            "collection: there is no collection 'sentinel-2-l2b'. Did you mean sentinel-2-l2a or sentinel-5p-l2?"
        ),
    ),
    (
        {"collection": "landsat"},
        (
            "collection: there is no collection 'landsat'. Did you mean landsat-8-l1c, landsat-ot-l1, landsat-ot-l2, landsat-etm-l1, landsat-etm-l2, landsat-tm-l1, landsat-tm-l2 or landsat-mss-l1?"
        ),
    ),
    (
        {"max_cloud_coverage": 0.5, "collection": "sentinel-1-grd"},
        ("max_cloud_coverage: sentinel-1-grd cannot be filtered by clouds. Leave it out"),
    ),
    (
        {"max_cloud_coverage": "20%"},
        ("max_cloud_coverage: '20%' is not a number. Give a number from 0 to 100"),
    ),
    ({"max_cloud_coverage": 120}, ("max_cloud_coverage: 120 is out of range. Give a number from 0 to 100")),
    (
        {"mosaicking_order": "newest"},
        ("mosaicking_order: 'newest' is not known. Choose one of mostRecent, leastRecent, leastCC"),
    ),
    (
        {"collection": "sentinel-1-grd", "data_filter": {"orbit": "ASCENDING"}},
        (
            "data_filter.orbit: the filter of sentinel-1-grd does not have this setting. Did you mean orbitDirection? Choose one of resolution, acquisitionMode, polarization, orbitDirection, timeliness"
        ),
    ),
    (
        {"collection": "sentinel-1-grd", "data_filter": {"polarization": "VV+VH"}},
        (
            "data_filter.polarization: 'VV+VH' is not known. Did you mean VV or VH? Choose one of SH, SV, DH, DV, HH, HV, VV, VH; DV is VV with VH, DH is HH with HV"
        ),
    ),
    (
        {"processing": {"orthorectify": True}},
        (
            "processing.orthorectify: the processing of sentinel-2-l2a does not have this setting. Choose one of upsampling, downsampling, harmonizeValues"
        ),
    ),
    (
        {"data_filter": {"maxCloudCoverage": 20}},
        ("data_filter.maxCloudCoverage: has a place of its own. Give it as max_cloud_coverage"),
    ),
    (
        {"sources": [{"collection": "sentinel-2-l2a"}, {"id": "dem", "collection": "dem"}]},
        (
            "sources[0].id: is missing: there are several sources. Give each source the id by which the evalscript calls it in datasource"
        ),
    ),
    (
        {"tiling_grid_id": 4},
        ("tiling_grid_id: there is no grid 4. Choose one of 1 (10km grid); 6 (LAEA 100km grid)"),
    ),
    ({"resolution": 15}, ("resolution: grid 1 (10km grid) does not have 15. Choose one of 10, 20 (metre)")),
    ({"buffer": 50}, ("buffer: 50 is not two numbers of pixels. Give (x, y), such as (50, 50)")),
    (
        {"outputs": {"NDVI": "image/png"}},
        ("outputs: NDVI cannot be delivered as 'image/png'. Choose image/tiff or application/json"),
    ),
    (
        {"cog_parameters": {"blocksize": 512}, "cog": True},
        (
            "cog_parameters.blocksize: a cloud-optimised GeoTIFF does not have this setting. Did you mean blockysize or blockxsize? Choose one of overviewLevels, overviewMinSize, resamplingAlgorithm, blockxsize, blockysize, usePredictor"
        ),
    ),
    (
        {"create_collection": True},
        ("create_collection: a collection is made of cloud-optimised GeoTIFFs only. Set cog=True as well"),
    ),
    (
        {"delivery_url": "bucket/ndvi"},
        (
            "delivery_url: 'bucket/ndvi' is not the URL of a place in a bucket. Give a URL such as s3://my-bucket/ndvi"
        ),
    ),
    (
        {"delivery_url": "s3://bucket/<tile>/<outputId>.tif"},
        (
            "delivery_url: <tile> is not a placeholder. Did you mean <tileName> or <tileId>? Choose one of <requestId>, <tileName>, <tileId>, <outputId>, <format>"
        ),
    ),
    (
        {"delivery_aws_conn_id": None},
        (
            "delivery_aws_conn_id: the service needs either keys or a role to use the bucket, and neither is there. Name an AWS connection in delivery_aws_conn_id, or a role in iam_role_arn"
        ),
    ),
    (
        {"iam_role_arn": ROLE},
        (
            "delivery_aws_conn_id: the service needs either keys or a role to use the bucket, and both are there. Keep either delivery_aws_conn_id or iam_role_arn"
        ),
    ),
    (
        {
            "delivery": {"s3": {"url": "s3://b/x", "secretAccessKey": "x"}},
            "delivery_url": None,
            "delivery_aws_conn_id": None,
        },
        (
            "delivery.s3.secretAccessKey: is a secret, which a definition must not hold. Name a connection in delivery_aws_conn_id or delivery_gcp_conn_id"
        ),
    ),
    (
        {**FIELDS, "geopackage": "s3://bucket/fields/"},
        (
            "geopackage.url: 's3://bucket/fields/' is not the URL of one file. Give the file's own, such as s3://my-bucket/fields.gpkg"
        ),
    ),
    (
        {"geopackage": "s3://bucket/fields.gpkg"},
        (
            "tiling_grid_id: is for a tiling grid, and there is a geopackage. Leave it out\n"
            "resolution: is for a tiling grid, and there is a geopackage. Put it into geopackage"
        ),
    ),
    (
        {**FIELDS, "geopackage": {"url": "s3://bucket/fields.gpkg", "width": 5000, "height": 5000}},
        (
            "geopackage.width: 5000 is out of range. Give a whole number from 1 to 3500\n"
            "geopackage.height: 5000 is out of range. Give a whole number from 1 to 3500"
        ),
    ),
    (
        {"zarr": {"array_parameters": ARRAY}},
        (
            "tiling_grid_id: grid 1 has tiles in several CRSs, and a Zarr has one. Choose 3 (1 degree), 6 (LAEA 100 km) or 7 (LAEA 20 km), or raster output"
        ),
    ),
    (
        {**ON_LAEA, "zarr": {}},
        (
            "zarr.array_parameters: the array of default lacks dtype, chunks, fill_value. Give them in array_parameters for all outputs, such as {'dtype': '<u2', 'chunks': [1, 1000, 1000], 'fill_value': 0}"
        ),
    ),
    (
        {**ON_LAEA, "zarr": {"array_parameters": {**ARRAY, "chunks": [1, 300, 300]}}},
        (
            "zarr.array_parameters.chunks: [1, 300, 300] does not divide a tile of 2000 rows and 2000 columns. Give divisors of them, such as [1, 1000, 1000]"
        ),
    ),
    (
        {**ON_LAEA, "zarr": {"array_parameters": {**ARRAY, "fill_value": -1}}},
        (
            "zarr.array_parameters.fill_value: -1 is no value of <u2, the dtype of default. Give a whole number from 0 to 65535"
        ),
    ),
    (
        {**ON_LAEA, "zarr": {"array_parameters": {**ARRAY, "dtype": "int64"}}, "outputs": ["NDVI"]},
        (
            "zarr.array_parameters.dtype: 'int64' is not known. Choose one of uint8, int8, uint16, int16, float32, float64, |u1, |i1, <u2, >u2, <i2, >i2, <f4, >f4, <f8, >f8"
        ),
    ),
    (
        {**ON_LAEA, "zarr": {"array_parameters": ARRAY}, "overwrite": True},
        ("overwrite: is for raster output, and there is a zarr. Leave it out"),
    ),
]


def message(change: dict[str, Any]) -> str:
    with pytest.raises(DefinitionError) as raised:
        BatchDefinition.read({**SOUND, **change}, folders=["dags"], look_up=look_up).check(GRIDS)
    return "\n".join(map(str, raised.value.faults))


@pytest.mark.parametrize(("change", "expected"), WRONG, ids=lambda value: str(value)[:40])
def test_what_a_newcomer_reads(change: dict[str, Any], expected: str) -> None:
    assert message(change) == expected
