"""What the service puts at an evalscript's disposal."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from sandbox.evalscripts import NDVI, evaluate

from airflow_provider_sentinelhub.sandbox.evalscript.script import Script


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("new ColorMapVisualizer([[200, 0xff0000], [300, 0x0000ff]]).process(199)", [1, 0, 0]),
        ("new ColorMapVisualizer([[200, 0xff0000], [300, 0x0000ff]]).process(299)", [1, 0, 0]),
        ("new ColorMapVisualizer([[200, 0xff0000], [300, 0x0000ff]]).process(300)", [0, 0, 1]),
        ("ColorMapVisualizer.createDefaultColorMap().process(0.15)", [1, 1, 0.2]),
        ("new ColorRampVisualizer([[200, 0xFF0000], [300, 0x0000FF]]).process(199)", [1, 0, 0]),
        (
            "new ColorRampVisualizer([[200, 0xFF0000], [300, 0x0000FF]]).process(250)",
            [127 / 255, 0, 127 / 255],
        ),
        ("new ColorRampVisualizer([[200, [1,0,0]], [300, [0,0,1]]]).process(299)", [2 / 255, 0, 252 / 255]),
        ("new ColorRampVisualizer([[200, 0xFF0000], [300, 0x0000FF]]).inverse().process(300)", [1, 0, 0]),
        ("new ColorRampVisualizer([[200, 0xFF0000], [300, 0x0000FF]], 0, 1).process(0)", [1, 0, 0]),
        ("ColorRampVisualizer.createRedTemperature(0.0, 1.0).process(0.3)", [1, 0.43137254901960786, 0]),
        ("ColorRampVisualizer.createRedTemperature(0.0, 1.0).process(0.5)", [1, 0.5137254901960784, 0]),
        ("ColorRampVisualizer.createRedTemperature(0.0, 1.0).process(0.8)", [1, 0.8, 0.5764705882352941]),
        ("ColorRampVisualizer.createWhiteGreen(0.0, 1.0).process(0.5)", [0.3333333333333333, 0.6, 0]),
        ("ColorRampVisualizer.createBlueRed(0.0, 1.0).process(0.3)", [0, 0.6980392156862745, 1]),
        ("ColorRampVisualizer.createBlueRed(0.0, 1.0).process(0.8)", [1, 0.2980392156862745, 0]),
        ("ColorRampVisualizer.createOceanColor(0, 1).process(1)", [105 / 255, 0, 0]),
        ("ColorGradientVisualizer.createRedTemperature(0.0, 1.0).process(0.3)", [0.43137254901960786, 0, 0]),
        ("ColorGradientVisualizer.createWhiteGreen(0.0, 1.0).process(0.8)", [0.6666666666666666, 0.8, 1 / 3]),
        ("ColorGradientVisualizer.createBlueRed(0.0, 1.0).process(0.5)", [128 / 255, 1, 128 / 255]),
        ("new HighlightCompressVisualizer(0.1, 0.4).process(0)", 0),
        ("new HighlightCompressVisualizer(0.1, 0.4).process(0.25)", 0.5),
        ("new HighlightCompressVisualizer(0.1, 0.4).process(0.376)", 0.92),
        ("new HighlightCompressVisualizer(0.1, 0.4).process(0.4)", 0.925925925925926),
        ("new HighlightCompressVisualizer(0.1, 0.4).process(0.7)", 1),
        ("new HighlightCompressVisualizer(0.1, 0.4).process(1.1)", 1),
        ("int2rgb(65537)", [1, 0, 1]),
        ("rgb2int([0, 1, 0])", 256),
        ("normalizeRGB([255, 0, 51])", [1, 0, 0.2]),
        ("combine([100, 0, 0], [0, 100, 0], 0.5)", [50, 50, 0]),
        ("index(0.6, 0.4)", 0.2),
        ("index(0.5, -0.5)", 0),
        ("inverse(5.0)", 0.2),
        ("inverse(0) === JAVA_DOUBLE_MAX_VAL ? 1 : 0", 1),
        ("valueMap(5, [1, 3, 5, 7, 10], [100, 300, 500, 700, 900])", 500),
        ("valueMap(2, [1, 3, 5, 7, 10], [100, 300, 500, 700, 900])", 300),
        ("valueMap(12, [1, 3, 5, 7, 10], [100, 300, 500, 700, 900])", 900),
        ("valueMap(50)", 50),
        ("valueInterpolate(0, [-10, -5, 0, 5, 10], [-1000, -50, 0, 50, 1000])", 0),
        ("valueInterpolate(-10, [-10, -5, 0, 5, 10], [-1000, -50, 0, 50, 1000])", -1000),
        ("valueInterpolate(9, [-10, -5, 0, 5, 10], [-1000, -50, 0, 50, 1000])", 810),
        ("colorBlend(0.1, [0, 0.2, 0.4], [[0, 0, 0], [0.1, 0.2, 0.5], [1, 1, 1]])", [0.05, 0.1, 0.25]),
        ("decodeL8C2Qa(55052).cirrusConfidence * 10 + decodeL8C2Qa(55052).cloudShadowConfidence", 31),
        ("decodeS3OLCIQualityFlags(0x80000001).land + decodeS3OLCIQualityFlags(0x80000001).saturatedB21", 2),
        ("blueRed.length + redTemperature.length + greenWhite.length", 15),
    ],
)
def test_helpers_give_the_documented_values(expression: str, value: Any) -> None:
    context = Script("//VERSION=3\n", memory_limit=64 << 20, time_limit=5)
    assert json.loads(context.eval(f"JSON.stringify({expression})")) == pytest.approx(value, abs=1e-9)


def test_a_script_may_use_the_helpers_names_for_itself() -> None:
    source = NDVI.replace(
        "function setup", "const index = (a, b) => a + b; class ColorMapVisualizer {}\nfunction setup"
    )
    assert evaluate(source, [{"B04": [1.0], "B08": [2.0]}])["default"].tolist() == [[3.0]]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_scripts_live_in_utc(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        context = Script("//VERSION=3\n", memory_limit=64 << 20, time_limit=5)
        for expression, expected in {
            "new Date(2020, 6, 1).toISOString()": "2020-07-01T00:00:00.000Z",
            "new Date('2020-07-01T10:00:00').toISOString()": "2020-07-01T10:00:00.000Z",
            "new Date('2020-07-01T10:00:00+02:00').toISOString()": "2020-07-01T08:00:00.000Z",
            "new Date('July 1, 2020 00:00:00').toISOString()": "2020-07-01T00:00:00.000Z",
            "new Date(2020, 6, 1).toString().slice(0, 28)": "Wed Jul 01 2020 00:00:00 GMT",
            "String(new Date(0).getHours())": "0",
            "String(new Date(new Date(7)).getTime())": "7",
            "String(new Date() instanceof Date && new Date().constructor === Date)": "true",
            "(() => { const d = new Date(2020, 2, 7, 23); d.setHours(0, 0, 0, 0); d.setDate(d.getDate() + 2);"
            " return d.toISOString(); })()": "2020-03-09T00:00:00.000Z",
        }.items():
            assert context.eval(expression) == expected, expression
    finally:
        monkeypatch.undo()
        time.tzset()
