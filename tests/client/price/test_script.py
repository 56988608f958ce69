"""What is read of evalscripts."""

from __future__ import annotations

import pytest
from client.evalscript.good import GOOD

from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.client.price.script import bands_of, mosaicking_of, read_script


def setup(text: str, more: str = "") -> str:
    return f"//VERSION=3\nfunction setup() {{ return {text}; }}\n{more}"


@pytest.mark.parametrize(
    ("text", "bands"),
    [
        ('{input: ["B04", "B08"], output: {bands: 1}}', 2),
        ('{input: ["B04", "dataMask"], output: {bands: 1}}', 1),
        ('{input: ["dataMask"], output: {bands: 1}}', 1),
        ('{input: [{bands: ["B04", "CLM", "dataMask"], units: "DN"}], output: {bands: 1}}', 2),
        ('{input: [{bands: ["B04", "B08"]}, {bands: ["B08", "SCL"]}], output: {bands: 1}}', 3),
        ('{input: {bands: ["B04"]}, output: [{id: "a", bands: 1}]}', 1),
    ],
)
def test_bands_of_one_collection(text: str, bands: int) -> None:
    assert bands_of(read_script(setup(text)), 1) == bands


@pytest.mark.parametrize(
    ("name", "sources", "bands"),
    [
        ("true colour", 1, 3),
        ("interpolation of a calendar", 1, 3),  # dataMask is free
        ("nothing but the mask", 1, 1),  # but not alone
        ("two inputs of one collection", 1, 3),
        ("radar and optical over time", 2, 3),
        ("before and after", 2, 4),
    ],
)
def test_bands_that_are_paid_for(name: str, sources: int, bands: int) -> None:
    assert bands_of(read_script(GOOD[name].script), sources) == bands


def test_bands_of_several_collections_are_counted_in_each() -> None:
    text = """{output: {bands: 1},
        input: [{datasource: "a", bands: ["B04", "dataMask"]}, {datasource: "b", bands: ["B04", "B08"]}]}"""
    nameless = text.replace('datasource: "a", ', "").replace('datasource: "b", ', "")
    assert bands_of(read_script(setup(text)), 2) == bands_of(read_script(setup(nameless)), 2) == 3


def test_sample_types_and_mosaicking() -> None:
    script = read_script(
        setup(
            '{input: ["B04"], mosaicking: Mosaicking.ORBIT, output: [{id: "a", bands: 1, sampleType: '
            "SampleType.FLOAT32}, {bands: 1}]}"
        )
    )
    assert [(one.id, one.sample_type) for one in script.outputs] == [("a", "FLOAT32"), ("default", "AUTO")]
    assert script.mosaicking == mosaicking_of(script, None, 0) == "ORBIT"
    assert not script.filters_scenes


def test_mosaicking_of_an_input_comes_first() -> None:
    text = """{mosaicking: "ORBIT", output: {bands: 1}, input: [
        {datasource: "a", bands: ["B04"], mosaicking: "TILE"}, {datasource: "b", bands: ["B04"]}]}"""
    script = read_script(setup(text))
    assert [mosaicking_of(script, "a", 0), mosaicking_of(script, "b", 1)] == ["TILE", "ORBIT"]


def test_a_script_that_chooses_scenes_is_known() -> None:
    more = "function preProcessScenes(collections) { return collections; }"
    assert read_script(setup('{input: ["B04"], output: {bands: 1}}', more)).filters_scenes


def test_sloppy_scripts_and_helpers_work() -> None:
    source = "days = [1, 2].map(d => new Date(d)); ramp = ColorRampVisualizer.createWhiteGreen();\n"
    text = source + setup('{input: ["B04"], output: {bands: days.length}}')
    assert bands_of(read_script(text), 1) == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("//VERSION=3\n", "not defined"),
        ("//VERSION=3\nfunction setup( {", "SyntaxError"),
        (setup("{input: [], output: {bands: 1}}"), "asks for no input"),
        (setup('{input: ["B04"]}'), "declares no output"),
        (setup('{input: ["B04"], output: {bands: 1}, mosaicking: "DAILY"}'), "'DAILY'"),
        ("//VERSION=3\nfunction setup() { for (;;); }", "does not end"),
        ("", "version"),
    ],
)
def test_what_cannot_be_read_is_named(source: str, said: str) -> None:
    with pytest.raises(DefinitionError, match="The price cannot work, one fault") as error:
        read_script(source)
    [fault] = error.value.faults
    assert fault.field == "evalscript"
    assert said in fault.problem
