"""What a script declares, as values, and the table of bands."""

from __future__ import annotations

import math

import pytest
from client.evalscript.band_table import table
from client.evalscript.good import GOOD
from client.evalscript.wrong import NDVI

from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.client.evalscript import Input, Output, Setup, describe
from airflow_provider_sentinelhub.client.evalscript.bands import TABLE, units_of


def test_the_short_form() -> None:
    assert describe(NDVI) == Setup(
        (Input({"B04": None, "B08": None}),), (Output("default", 1, "FLOAT32"),), "SIMPLE"
    )


def test_the_long_form() -> None:
    setup = describe("""//VERSION=3
      const setup = () => ({
        input: [{bands: ["B04", "CLM", "dataMask"], units: ["reflectance", "DN", "DN"]}],
        output: [{id: "a", bands: 2, nodataValue: NaN, sampleType: SampleType.FLOAT32}, {id: "b", bands: 3}],
        mosaicking: Mosaicking.TILE,
      });
    """)
    assert setup.inputs == (Input({"B04": "REFLECTANCE", "CLM": "DN", "dataMask": "DN"}),)
    assert setup.inputs[0].bands == ("B04", "CLM", "dataMask")
    first, second = setup.outputs
    assert (first.id, first.bands, first.sample_type) == ("a", 2, "FLOAT32")
    assert first.nodata is not None
    assert math.isnan(first.nodata)
    assert second == Output("b", 3)
    assert setup.mosaicking == "TILE"


def test_data_fusion() -> None:
    setup = describe(GOOD["radar and optical over time"].script)
    assert setup.datasources == ("s1", "s2")
    assert [item.mosaicking for item in setup.inputs] == ["ORBIT", "TILE"]
    assert setup.inputs_of("s1") == (Input({"VV": None}, "s1", "ORBIT"),)


def test_what_cannot_be_read_is_named() -> None:
    with pytest.raises(DefinitionError) as raised:
        describe(NDVI.replace("bands: 1", "bands: 0").replace("FLOAT32", "FLOAT64"))
    assert str(raised.value) == (
        "The evalscript cannot work, one fault:\n"
        "  - evalscript: output default has 0 bands. Give a whole number, 1 or more"
    )
    with pytest.raises(DefinitionError, match="setup is not defined"):
        describe("//VERSION=3\nfunction evaluatePixel() {}")


def test_only_setup_is_needed() -> None:
    assert describe(NDVI.replace("evaluatePixel", "other")).mosaicking == "SIMPLE"


def test_the_table_of_bands_is_what_the_vendors_package_knows() -> None:
    assert table() == TABLE


def test_bands_and_their_units() -> None:
    level_2 = units_of("sentinel-2-l2a")
    assert level_2 is not None
    assert level_2["B8A"] == ("REFLECTANCE", "DN")
    assert level_2["SCL"] == ("DN",)
    assert "B10" not in level_2
    radar = units_of("sentinel-1-grd")
    assert radar is not None
    assert [band for band, units in radar.items() if units == ("LINEAR_POWER",)] == ["VV", "VH", "HH", "HV"]
    assert units_of("byoc-0190aabb") is None
