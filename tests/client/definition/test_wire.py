from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_sentinelhub.client.definition import BatchDefinition, BucketKeys, Delivery
from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.client.models import TilingGrid

GRIDS = [
    TilingGrid(0, "UTM 20km grid", 20040, 20040, "METRE", (10, 20, 60)),
    TilingGrid(1, "UTM 10km grid", 10000, 10000, "METRE", (10, 20)),
]
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]}
SOUND = BatchDefinition(
    evalscript="//VERSION=3\n",
    area=SQUARE,
    time_range=("2020-07-01", "2020-07-31"),
    tiling_grid_id=1,
    resolution=10,
    delivery=Delivery("s3://bucket/ndvi", keys=BucketKeys("planted-key", "planted-secret")),
    collection="sentinel-2-l1c",
    outputs=("NDVI", "data_mask"),
    buffer=(50, 50),
)


def test_the_wire_form_is_what_the_service_documents() -> None:
    assert SOUND.to_wire() == {
        "processRequest": {
            "input": {
                "bounds": {
                    "geometry": SQUARE,
                    "properties": {"crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"},
                },
                "data": [
                    {
                        "type": "sentinel-2-l1c",
                        "dataFilter": {
                            "timeRange": {"from": "2020-07-01T00:00:00Z", "to": "2020-07-31T23:59:59Z"}
                        },
                    }
                ],
            },
            "output": {
                "responses": [
                    {"identifier": "NDVI", "format": {"type": "image/tiff"}},
                    {"identifier": "data_mask", "format": {"type": "image/tiff"}},
                ]
            },
            "evalscript": "//VERSION=3\n",
        },
        "input": {"type": "tiling-grid", "id": 1, "resolution": 10.0, "bufferX": 50, "bufferY": 50},
        "output": {
            "type": "raster",
            "delivery": {
                "s3": {
                    "url": "s3://bucket/ndvi",
                    "accessKey": "planted-key",
                    "secretAccessKey": "planted-secret",
                }
            },
            "cogOutput": False,
            "overwrite": False,
            "skipExisting": False,
        },
    }


def test_what_was_not_said_is_not_sent_and_nothing_is_null() -> None:
    wire = json.dumps(SOUND.to_wire())
    assert "null" not in wire
    for absent in ("maxCloudCoverage", "mosaickingOrder", "description", "iamRoleARN", "region"):
        assert absent not in wire
    full = replace(
        SOUND,
        max_cloud_coverage=57.5,
        mosaicking_order="leastCC",
        description="mine",
        outputs={"NDVI": "image/tiff", "stats": "application/json"},
        delivery=Delivery("s3://bucket", iam_role_arn="arn:aws:iam::123456789012:role/r", region="us-west-2"),
    )
    full.check(GRIDS)
    sent = full.to_wire()
    data_filter = sent["processRequest"]["input"]["data"][0]["dataFilter"]
    assert data_filter["maxCloudCoverage"] == 57.5
    assert data_filter["mosaickingOrder"] == "leastCC"
    assert sent["description"] == "mine"
    assert sent["output"]["delivery"]["s3"] == {
        "url": "s3://bucket",
        "region": "us-west-2",
        "iamRoleARN": "arn:aws:iam::123456789012:role/r",
    }


@pytest.mark.parametrize(
    ("time_range", "expected"),
    [
        (("2020-07-01", "2020-07-01"), ("2020-07-01T00:00:00Z", "2020-07-01T23:59:59Z")),
        ((date(2020, 7, 1), date(2020, 7, 2)), ("2020-07-01T00:00:00Z", "2020-07-02T23:59:59Z")),
        (
            ("2020-07-01T10:00:00Z", "2020-07-01T12:00:00+01:00"),
            ("2020-07-01T10:00:00Z", "2020-07-01T11:00:00Z"),
        ),
        ((datetime(2020, 7, 1), datetime(2020, 7, 2, 3)), ("2020-07-01T00:00:00Z", "2020-07-02T03:00:00Z")),
        (
            (
                datetime(2020, 7, 1, tzinfo=timezone.utc),
                datetime(2020, 7, 2, tzinfo=timezone(timedelta(hours=2))),
            ),
            ("2020-07-01T00:00:00Z", "2020-07-01T22:00:00Z"),
        ),
    ],
)
def test_times_are_sent_in_utc_and_a_date_means_the_whole_day(
    time_range: tuple[Any, Any], expected: tuple[str, str]
) -> None:
    wire = replace(SOUND, time_range=time_range).to_wire()
    sent = wire["processRequest"]["input"]["data"][0]["dataFilter"]["timeRange"]
    assert (sent["from"], sent["to"]) == expected


@pytest.mark.parametrize(
    "area",
    [SQUARE, json.dumps(SQUARE), {"type": "Feature", "properties": {}, "geometry": SQUARE}],
    ids=["dict", "text", "feature"],
)
def test_an_area_is_a_geometry_a_feature_or_the_text_of_one(area: Any) -> None:
    definition = replace(SOUND, area=area)
    definition.check(GRIDS)
    assert definition.to_wire()["processRequest"]["input"]["bounds"]["geometry"] == SQUARE


BOW_TIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
METRES = {"type": "Polygon", "coordinates": [[[3e5, 4e6], [3.1e5, 4e6], [3.1e5, 4.1e6], [3e5, 4e6]]]}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"evalscript": "  "}, "evalscript", "is missing or empty"),
        ({"area": {"type": "Point", "coordinates": [0, 0]}}, "area", "Point"),
        ({"area": {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}}, "area", "LineString"),
        ({"area": "somewhere"}, "area", "area: "),
        ({"area": None}, "area", "is missing"),
        ({"area": {}}, "area", "area: "),
        ({"area": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}, "area", "area: "),
        ({"area": {"type": "Polygon", "coordinates": []}}, "area", "empty"),
        ({"area": BOW_TIE}, "area", "Self-intersection"),
        ({"area": METRES}, "area", "area: "),
        ({"invalid_area": "mend"}, "invalid_area", "Choose one of refuse, repair"),
        ({"area_tolerance": "-1"}, "area_tolerance", "Give a number above 0"),
        ({"time_range": ("2020-07-31", "2020-07-01")}, "time_range", "runs backwards"),
        ({"time_range": ("2020-07-31",)}, "time_range", "not a first and a last date"),
        ({"time_range": "2020-07-31"}, "time_range", "not a first and a last date"),
        ({"time_range": 7}, "time_range", "cannot be read"),
        ({"time_range": ("July", "August")}, "time_range", "cannot be read"),
        ({"tiling_grid_id": 42}, "tiling_grid_id", "Choose one of 0 (UTM 20km grid); 1 (UTM 10km grid)"),
        ({"tiling_grid_id": "one"}, "tiling_grid_id", "not a whole number"),
        ({"resolution": 15}, "resolution", "Choose one of 10, 20 (metre)"),
        ({"resolution": 0}, "resolution", "Give a number above 0"),
        ({"resolution": "fine"}, "resolution", "not a number"),
        ({"buffer": (50,)}, "buffer", "two numbers of pixels"),
        ({"buffer": (-1, 50)}, "buffer (x)", "out of range"),
        ({"outputs": ()}, "outputs", "is empty"),
        ({"outputs": {"NDVI": "image/png"}}, "outputs", "'image/png'"),
        ({"outputs": {"NDVI": "application/json"}, "cog": True}, "cog", "image/tiff throughout"),
        ({"collection": ""}, "collection", "is missing"),
        ({"max_cloud_coverage": 101}, "max_cloud_coverage", "from 0 to 100"),
        ({"mosaicking_order": "newest"}, "mosaicking_order", "mostRecent, leastRecent, leastCC"),
        ({"delivery": Delivery("bucket/x", BucketKeys("a", "b"))}, "delivery_url", "not the URL"),
        ({"delivery": Delivery("s3://", BucketKeys("a", "b"))}, "delivery_url", "not the URL"),
        (
            {"delivery": Delivery("s3://No_Bucket/x", BucketKeys("a", "b"))},
            "delivery_url",
            "name of a bucket",
        ),
        (
            {"delivery": Delivery("s3://bucket/<outputId>", BucketKeys("a", "b"))},
            "delivery_url",
            "<tileName>",
        ),
        (
            {"delivery": Delivery("s3://bucket/<tileName>", BucketKeys("a", "b"))},
            "delivery_url",
            "<outputId>",
        ),
        ({"delivery": Delivery("s3://bucket")}, "delivery_aws_conn_id", "either keys or a role"),
        (
            {"delivery": Delivery("s3://bucket", BucketKeys("a", "b"), "arn:aws:iam::123456789012:role/r")},
            "delivery_aws_conn_id",
            "either keys or a role",
        ),
        ({"delivery": Delivery("s3://bucket", iam_role_arn="role")}, "iam_role_arn", "not a role"),
    ],
)
def test_each_mistake_is_named_with_its_field(change: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        replace(SOUND, **change).check(GRIDS)
    named = [fault for fault in raised.value.faults if fault.field == field]
    assert named, raised.value
    assert words in str(named[0])
    assert named[0].remedy


def test_all_mistakes_are_named_at_once() -> None:
    wrong = replace(SOUND, area=BOW_TIE, time_range=("2021", "2020"), tiling_grid_id=9, outputs=())
    assert {fault.field for fault in wrong.faults(GRIDS)} == {
        "area",
        "time_range",
        "tiling_grid_id",
        "outputs",
    }


def test_a_sound_definition_has_no_fault() -> None:
    SOUND.check(GRIDS)
    SOUND.check()


def test_bucket_keys_are_never_printed() -> None:
    assert "planted" not in repr(SOUND)
    assert "planted" not in json.dumps(SOUND.without_keys().to_wire())
