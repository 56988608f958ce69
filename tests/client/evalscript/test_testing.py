"""The helpers for unit tests of scripts."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from client.evalscript.good import GOOD
from client.evalscript.wrong import NDVI

from airflow_provider_sentinelhub.testing import assert_evalscript, evaluate_pixel

EXAMPLE = Path(__file__).parents[3] / "example_dags" / "ndvi.js"
CLEAR = {"B04": 1000.0, "B08": 3000.0, "CLM": 0, "dataMask": 1}
CLOUD = {"B04": 8000.0, "B08": 8000.0, "CLM": 1, "dataMask": 1}


@pytest.mark.parametrize("script", [EXAMPLE, str(EXAMPLE), EXAMPLE.read_text()])
def test_a_sound_script_passes(script: Path | str) -> None:
    found = assert_evalscript(script, collections="sentinel-2-l1c", outputs=["NDVI"], cog=True)
    assert found.warnings == ("output data_mask is declared but not requested, so it is not delivered",)
    assert found.setup is not None
    assert found.setup.mosaicking == "ORBIT"


def test_all_faults_are_in_the_failure() -> None:
    with pytest.raises(AssertionError) as failure:
        assert_evalscript(
            NDVI.replace("index(", "indx("), collections=["sentinel-1-grd"], outputs={"x": "image/tiff"}
        )
    assert str(failure.value).splitlines() == [
        "The evalscript cannot work:",
        *(
            f"evalscript, line 4, column {column}: collection sentinel-1-grd has no band {band}. Choose "
            "among VV, VH, HH, HV, localIncidenceAngle, scatteringArea, shadowMask, dataMask"
            for column, band in ((13, "B04"), (20, "B08"))
        ),
        "outputs: Output x requested but missing from function setup(). Choose among default, or "
        "declare it there",
        "evalscript, line 9, column 11: Failed to evaluate script! ReferenceError: indx is not defined. "
        "Mend the script",
    ]


def test_zarr_and_data_fusion() -> None:
    fusion = GOOD["radar and optical over time"].script
    kinds = {"s1": "sentinel-1-grd", "s2": "sentinel-2-l2a"}
    assert assert_evalscript(fusion, collections=kinds, outputs=["ndvi"], zarr=True).warnings == (
        "output radar is declared but not requested, so it is not delivered",
    )
    with pytest.raises(AssertionError, match="and a Zarr array takes one"):
        assert_evalscript(GOOD["true colour"].script, zarr=True)


def test_a_pixel() -> None:
    assert evaluate_pixel(NDVI, {"B04": 0.1, "B08": 0.3}) == {"default": [pytest.approx(0.5)]}
    assert evaluate_pixel(NDVI, {"B04": 0.1})["default"] == [pytest.approx(math.nan, nan_ok=True)]


def test_a_pixel_of_several_scenes() -> None:
    assert evaluate_pixel(EXAMPLE, [CLOUD, CLEAR]) == {"NDVI": [0.5], "data_mask": [1]}
    none = evaluate_pixel(EXAMPLE, [])
    assert math.isnan(none["NDVI"][0])
    assert none["data_mask"] == [0]


def test_a_pixel_with_dates() -> None:
    script = GOOD["interpolation of a calendar"].script
    days = [datetime(2020, 7, 11, tzinfo=timezone.utc) - timedelta(days=10 * i) for i in range(2)]
    found = evaluate_pixel(script, [CLEAR, {**CLEAR, "B08": 1000.0}], [days[0], days[1].isoformat()])
    assert found["data_mask"] == [1, 1, 0, 0, 0]
    assert found["NDVI"] == [10000, pytest.approx(13500), 0, 0, 0]


def test_scenes_that_the_script_leaves_out_are_left_out() -> None:
    script = GOOD["median of clear days"].script
    sample = {"B02": 1.0, "B03": 2.0, "B04": 3.0, "SCL": 4}
    recent = evaluate_pixel(
        script, [sample, {**sample, "B04": 99}], ["2020-07-29T10:00:00Z", "2020-01-01T10:00"]
    )
    assert recent == {"default": [3, 2, 1]}


def test_a_pixel_of_several_sources() -> None:
    script = GOOD["radar and optical, one sample each"].script
    optical = {"B04": 0.1, "B08": 0.3, "SCL": 4}
    assert evaluate_pixel(script, {"s1": [{"VV": 0.1, "VH": 0.02}], "s2": [optical]})["default"] == [
        pytest.approx(0.5)
    ]
    assert evaluate_pixel(script, {"s1": [{"VV": 0.1, "VH": 0.02}], "s2": []})["default"] == [
        pytest.approx(0.2)
    ]


def test_samples_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(
        TypeError, match="with mosaicking SIMPLE a pixel has one sample, a dict of band to value"
    ):
        evaluate_pixel(NDVI, [{"B04": 0.1, "B08": 0.3}])
    with pytest.raises(TypeError, match="with mosaicking ORBIT a pixel has a list of samples"):
        evaluate_pixel(EXAMPLE, CLEAR)
    with pytest.raises(ValueError, match="there are 2 samples and 1 scenes"):
        evaluate_pixel(EXAMPLE, [CLEAR, CLOUD], ["2020-07-01"])
