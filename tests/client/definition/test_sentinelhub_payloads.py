"""The same intent, said with the vendor's own helpers and with ours, is the same request.

But for known errors of the helpers, each listed by name.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from support import box

from airflow_provider_sentinelhub.client.definition import BatchDefinition, BucketKeys

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sentinelhub.api.batch.process import BatchProcessClient as Vendor
    from sentinelhub.api.process import SentinelHubRequest
    from sentinelhub.config import SHConfig
    from sentinelhub.constants import CRS, MimeType
    from sentinelhub.data_collections import DataCollection
    from sentinelhub.geometry import BBox, Geometry

SCRIPT = "//VERSION=3\n"
ROLE = "arn:aws:iam::123456789012:role/batch"
SQUARE = box(14.0, 45.0, 15.0, 46.0)
DATES = ("2020-07-01", "2020-07-31")
S2, S1, DEM = DataCollection.SENTINEL2_L2A, DataCollection.SENTINEL1_IW, DataCollection.DEM
DEM_30 = DataCollection.DEM_COPERNICUS_30
BYOC = DataCollection.define_byoc("5ec4f3a8-0000-4000-8000-00000000feed")
OT_L1, ETM_L2, HLS = (
    DataCollection.LANDSAT_OT_L1,
    DataCollection.LANDSAT_ETM_L2,
    DataCollection.HARMONIZED_LANDSAT_SENTINEL,
)
KEYS = Vendor.s3_specification("s3://bucket/x", access_key="planted-key", secret_access_key="planted-secret")
BY_ROLE = Vendor.s3_specification("s3://bucket/x", iam_role_arn=ROLE, region="us-west-2")
GPKG = Vendor.s3_specification(
    "s3://bucket/f.gpkg", access_key="planted-key", secret_access_key="planted-secret"
)
ARRAY = {"dtype": "<u2", "order": "C", "chunks": [1, 500, 500], "fill_value": 0}
LEE = {"type": "LEE", "windowSizeX": 3, "windowSizeY": 3}

# What the helpers do otherwise than the service documents: each turns a vendor's payload into what was meant.


def instance_type(payload: dict[str, Any]) -> None:
    """The client always sends a field that it calls internal and the document does not have."""
    assert payload.pop("instanceType") == "normal"


def array_parameter(payload: dict[str, Any]) -> None:
    """The helper writes ``arrayParameter``, the document ``arrayParameters``."""
    payload["output"]["arrayParameters"] = payload["output"].pop("arrayParameter")


def truncated_cloud_cover(payload: dict[str, Any]) -> None:
    """The helper takes a share and truncates it to whole percent: 0.29 becomes 28."""
    payload["processRequest"]["input"]["data"][0]["dataFilter"]["maxCloudCoverage"] = 29


def dates_of_the_dem(payload: dict[str, Any]) -> None:
    """The helper lets a time range be sent for what has no dates."""
    for one in payload["processRequest"]["input"]["data"]:
        if one["type"] == "dem":
            one["dataFilter"].pop("timeRange")


def leftover_size(payload: dict[str, Any]) -> None:
    """The client copies a Process request as it is, with a size that a batch request has no place for."""
    for name in ("width", "height", "resx", "resy"):
        payload["processRequest"]["output"].pop(name, None)


def no_arrays(payload: dict[str, Any]) -> None:
    """The request class refuses ``zarr/array``, the only format that Zarr output takes."""
    with pytest.raises(ValueError, match="array is not supported"):
        MimeType.from_string("zarr/array")
    for one in payload["processRequest"]["output"]["responses"]:
        one["format"] = {"type": "zarr/array"}


class SentError(Exception):
    """Carries what the vendor's client would have sent."""


class Wire:
    def get_json_dict(self, _url: str, *, post_values: Any, **_options: Any) -> Any:
        raise SentError(post_values)


def vendor(
    data: list[Any],
    grid: dict[str, Any],
    output: dict[str, Any],
    *,
    responses: list[Any] | None = None,
    geometry: Any = None,
    description: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Return the payload that the vendor's client makes."""
    if not options.get("bbox"):
        geometry = geometry or Geometry(SQUARE, CRS.WGS84)
    process = SentinelHubRequest(
        evalscript=SCRIPT,
        input_data=data,
        responses=responses or [SentinelHubRequest.output_response("default", MimeType.TIFF)],
        geometry=geometry,
        config=SHConfig(use_defaults=True),
        **options,
    )
    client: Any = Vendor(SHConfig(use_defaults=True))
    client.client = Wire()
    with pytest.raises(SentError) as sent:
        client.create(process, grid, output, description=description)
    payload: dict[str, Any] = json.loads(json.dumps(sent.value.args[0]))
    return payload


def data(collection: Any, dates: Any = DATES, **options: Any) -> Any:
    return SentinelHubRequest.input_data(collection, time_interval=dates, **options)


def raster(delivery: Any = KEYS, **options: Any) -> dict[str, Any]:
    flags = {"overwrite": False, "skip_existing": False, "cog_output": False}
    return Vendor.raster_output(delivery, **{**flags, **options})


def response(name: str, kind: Any = MimeType.TIFF) -> Any:
    return SentinelHubRequest.output_response(name, kind)


def ours(**said: Any) -> dict[str, Any]:
    """Return the wire form of the same in our words; a square, a grid and keys unless said otherwise."""
    usual: dict[str, Any] = {"area": SQUARE, "area_crs": "EPSG:4326", "time_range": DATES}
    usual |= {"tiling_grid_id": 1, "resolution": 10}
    usual |= {"delivery_url": "s3://bucket/x", "delivery_aws_conn_id": "mine"}
    given = {"evalscript": SCRIPT, **usual, **said}
    definition = BatchDefinition.read(given, look_up=lambda *_: BucketKeys("planted-key", "planted-secret"))
    definition.check()
    return definition.to_wire()


GRID = Vendor.tiling_grid_input(grid_id=1, resolution=10)
ROLED = {"delivery_aws_conn_id": None, "iam_role_arn": ROLE, "delivery_region": "us-west-2"}
NO_GRID = {"tiling_grid_id": None, "resolution": None}
UTM = (500000, 5000000, 510000, 5010000)
Repair = Callable[[dict[str, Any]], None]
CASES: dict[str, tuple[Callable[[], dict[str, Any]], dict[str, Any], tuple[Repair, ...]]] = {
    "simplest": (lambda: vendor([data(S2)], GRID, raster()), {}, ()),
    "l1c": (
        lambda: vendor([data(DataCollection.SENTINEL2_L1C)], GRID, raster()),
        {"collection": "S2L1C"},
        (),
    ),
    "times": (
        lambda: vendor([data(S2, ("2020-07-01T10:00:00", "2020-07-01T12:30:00"))], GRID, raster()),
        {"time_range": "2020-07-01T10:00:00/2020-07-01T12:30:00"},
        (),
    ),
    "one day": (
        lambda: vendor([data(S2, "2020-07-01")], GRID, raster()),
        {"time_range": ("2020-07-01", "2020-07-01")},
        (),
    ),
    "clouds": (
        lambda: vendor([data(S2, maxcc=0.5)], GRID, raster()),
        {"max_cloud_coverage": 50},
        (),
    ),
    "truncated clouds": (
        lambda: vendor([data(S2, maxcc=0.29)], GRID, raster()),
        {"max_cloud_coverage": 29},
        (truncated_cloud_cover,),
    ),
    "order": (
        lambda: vendor([data(S2, mosaicking_order="leastCC")], GRID, raster()),
        {"mosaicking_order": "leastCC"},
        (),
    ),
    "resampling": (
        lambda: vendor([data(S2, upsampling="BICUBIC", downsampling="BILINEAR")], GRID, raster()),
        {"processing": {"upsampling": "bicubic", "downsampling": "BILINEAR"}},
        (),
    ),
    "harmonised": (
        lambda: vendor([data(S2, other_args={"processing": {"harmonizeValues": False}})], GRID, raster()),
        {"processing": {"harmonize_values": False}},
        (),
    ),
    "radar": (
        lambda: vendor([data(S1)], GRID, raster()),
        {
            "collection": "sentinel-1-grd",
            "data_filter": {"acquisitionMode": "IW", "polarization": "DV", "resolution": "HIGH"},
        },
        (),
    ),
    "radar, ascending, corrected": (
        lambda: vendor(
            [
                data(
                    DataCollection.SENTINEL1_EW_ASC,
                    other_args={
                        "dataFilter": {"timeliness": "NRT3h"},
                        "processing": {
                            "backCoeff": "GAMMA0_TERRAIN",
                            "orthorectify": True,
                            "demInstance": "COPERNICUS_30",
                            "speckleFilter": LEE,
                        },
                    },
                )
            ],
            GRID,
            raster(),
        ),
        {
            "collection": "s1",
            "data_filter": {
                "acquisition_mode": "EW",
                "polarization": "DH",
                "resolution": "MEDIUM",
                "orbit_direction": "ascending",
                "timeliness": "nrt3h",
            },
            "processing": {
                "backCoeff": "GAMMA0_TERRAIN",
                "orthorectify": True,
                "demInstance": "COPERNICUS_30",
                "speckleFilter": LEE,
            },
        },
        (),
    ),
    "elevation": (
        lambda: vendor([data(DEM_30, None)], GRID, raster()),
        {"collection": "dem", "time_range": None, "data_filter": {"demInstance": "COPERNICUS_30"}},
        (),
    ),
    "elevation with dates": (
        lambda: vendor([data(DEM_30)], GRID, raster()),
        {"collection": "dem", "data_filter": {"demInstance": "COPERNICUS_30"}},
        (dates_of_the_dem,),
    ),
    "heights": (
        lambda: vendor([data(DEM, None, other_args={"processing": {"egm": True}})], GRID, raster()),
        {"collection": "DEM", "time_range": None, "processing": {"egm": True}},
        (),
    ),
    "landsat 8": (
        lambda: vendor([data(OT_L1, other_args={"dataFilter": {"tiers": "TIER_1"}})], GRID, raster()),
        {"collection": "landsat8-l1", "data_filter": {"tiers": "TIER_1"}},
        (),
    ),
    "landsat 7": (
        lambda: vendor([data(ETM_L2, maxcc=0.25)], GRID, raster()),
        {"collection": "LANDSAT_ETM_L2", "max_cloud_coverage": 25},
        (),
    ),
    "modis": (lambda: vendor([data(DataCollection.MODIS)], GRID, raster()), {"collection": "modis"}, ()),
    "hls": (
        lambda: vendor([data(HLS, other_args={"dataFilter": {"constellation": "LANDSAT"}})], GRID, raster()),
        {"collection": "HARMONIZED_LANDSAT_SENTINEL", "data_filter": {"constellation": "LANDSAT"}},
        (),
    ),
    "one's own": (
        lambda: vendor([data(BYOC)], GRID, raster()),
        {"collection": "5ec4f3a8-0000-4000-8000-00000000feed"},
        (),
    ),
    "one's own, no dates": (
        lambda: vendor([data(BYOC, None, mosaicking_order="leastRecent")], GRID, raster()),
        {
            "collection": "byoc-5ec4f3a8-0000-4000-8000-00000000feed",
            "time_range": None,
            "mosaicking_order": "leastRecent",
        },
        (),
    ),
    "fusion": (
        lambda: vendor([data(S2, identifier="optical"), data(S1, identifier="radar")], GRID, raster()),
        {
            "sources": [
                {"id": "optical", "collection": "sentinel-2-l2a"},
                {
                    "id": "radar",
                    "collection": "sentinel-1-grd",
                    "data_filter": {"acquisitionMode": "IW", "polarization": "DV", "resolution": "HIGH"},
                },
            ]
        },
        (),
    ),
    "fusion over time": (
        lambda: vendor(
            [
                data(S2, ("2020-06-01", "2020-06-30"), identifier="before"),
                data(S2, ("2020-08-01", "2020-08-31"), identifier="after", maxcc=0.2),
                data(DEM, identifier="dem"),
            ],
            GRID,
            raster(),
        ),
        {
            "time_range": None,
            "sources": [
                {"id": "before", "collection": "S2L2A", "time_range": ("2020-06-01", "2020-06-30")},
                {
                    "id": "after",
                    "collection": "S2L2A",
                    "time_range": ("2020-08-01", "2020-08-31"),
                    "max_cloud_coverage": 20,
                },
                {"id": "dem", "collection": "dem", "data_filter": {}},
            ],
        },
        (lambda payload: payload["processRequest"]["input"]["data"][2].pop("dataFilter"),),
    ),
    "outputs": (
        lambda: vendor(
            [data(S2)],
            GRID,
            raster(),
            responses=[response("NDVI"), response("userdata", MimeType.JSON)],
        ),
        {"outputs": ["NDVI", "userdata"]},
        (),
    ),
    "box in UTM": (
        lambda: vendor([data(S2)], GRID, raster(), bbox=BBox(UTM, CRS("32633"))),
        {"area": UTM, "area_crs": "EPSG:32633"},
        (),
    ),
    "leftover size": (
        lambda: vendor([data(S2)], GRID, raster(), size=(512, 512)),
        {},
        (leftover_size,),
    ),
    "buffer and grid": (
        lambda: vendor([data(S2)], Vendor.tiling_grid_input(3, 0.0001, buffer_x=50, buffer_y=5), raster()),
        {"tiling_grid_id": 3, "resolution": 0.0001, "buffer": (50, 5)},
        (),
    ),
    "role, cog, description": (
        lambda: vendor(
            [data(S2)],
            GRID,
            raster(BY_ROLE, cog_output=True, cog_parameters={"blockxsize": 512}, overwrite=True),
            description="mine",
        ),
        {
            **ROLED,
            "cog": True,
            "cog_parameters": {"blockxsize": 512},
            "overwrite": True,
            "description": "mine",
        },
        (),
    ),
    "collection of one's own": (
        lambda: vendor(
            [data(S2)],
            GRID,
            raster(cog_output=True, create_collection=True, collection_id="abc", skip_existing=True),
        ),
        {"cog": True, "create_collection": True, "collection_id": "abc", "skip_existing": True},
        (),
    ),
    "geopackage": (
        lambda: vendor([data(S2)], Vendor.geopackage_input(GPKG), raster()),
        {**NO_GRID, "geopackage": "s3://bucket/f.gpkg"},
        (),
    ),
    "zarr": (
        lambda: vendor(
            [data(S2)],
            Vendor.tiling_grid_input(6, 40),
            Vendor.zarr_output(
                KEYS,
                group={"zarr_format": 2, "customAttributes": {"owner": "me"}},
                array_parameters=ARRAY,
                array_overrides={"b": {"dtype": "<f4", "fill_value": "NaN"}},
            ),
            responses=[response("a"), response("b")],
        ),
        {
            "tiling_grid_id": 6,
            "resolution": 40,
            "outputs": ["a", "b"],
            "zarr": {
                "group": {"customAttributes": {"owner": "me"}},
                "array_parameters": {"dtype": "<u2", "chunks": [1, 500, 500], "fill_value": 0},
                "array_overrides": {"b": {"dtype": "<f4", "fill_value": float("nan")}},
            },
        },
        (array_parameter, no_arrays),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_same_intent_is_the_same_request(name: str) -> None:
    theirs, said, errors = CASES[name]
    payload = theirs()
    for repair in (instance_type, *errors):
        wrong = copy.deepcopy(payload)
        repair(payload)
        assert payload != wrong, "the error is no more"
    assert ours(**said) == payload


def test_thirty_payloads_are_compared() -> None:
    assert len(CASES) >= 30


@pytest.mark.parametrize("as_dict", [True, False], ids=["dict", "object"])
def test_a_process_request_becomes_a_batch_request(as_dict: bool) -> None:
    request = SentinelHubRequest(
        evalscript=SCRIPT,
        input_data=[data(S1, identifier="radar"), data(S2, identifier="optical", maxcc=0.5)],
        responses=[response("NDVI"), response("userdata", MimeType.JSON)],
        geometry=Geometry(SQUARE, CRS.WGS84),
        size=(512, 512),
        config=SHConfig(use_defaults=True),
    )
    payload = json.loads(json.dumps(request.download_list[0].post_values))
    definition = BatchDefinition.from_process_request(
        payload if as_dict else request,
        tiling_grid_id=1,
        resolution=10,
        delivery_url="s3://bucket/x",
        iam_role_arn=ROLE,
    )
    definition.check()
    assert definition.notes == (
        "Not used, since the grid or the GeoPackage says the size: width 512, height 512.",
    )
    leftover_size({"processRequest": payload})
    assert json.loads(json.dumps(definition.to_wire()))["processRequest"] == payload
