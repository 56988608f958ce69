"""The helpers of our engine give the documented values."""

from __future__ import annotations

import pytest
from client.evalscript.wrong import NDVI

from airflow_provider_sentinelhub.client.evalscript import evaluate_pixel


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("new ColorMapVisualizer([[200, 0xff0000], [300, 0x0000ff]]).process(199)", [1, 0, 0]),
        ("new ColorMapVisualizer([[200, 0xff0000], [300, 0x0000ff]]).process(300)", [0, 0, 1]),
        ("ColorMapVisualizer.createDefaultColorMap().process(0.15)", [1, 1, 0.2]),
        ("new ColorRampVisualizer([[0, 0xFF0000], [1, 0x0000FF]]).process(0.5)", [127 / 255, 0, 127 / 255]),
        ("new ColorRampVisualizer([[200, 0xFF0000], [300, 0x0000FF]]).inverse().process(300)", [1, 0, 0]),
        ("new ColorRampVisualizer([[200, [1,0,0]], [300, [0,0,1]]], 0, 1).process(2)", [0, 0, 1]),
        ("ColorRampVisualizer.createRedTemperature(0, 1).process(0.3)", [1, 0.43137254901960786, 0]),
        ("ColorRampVisualizer.createWhiteGreen(0, 1).process(0.5)", [1 / 3, 0.6, 0]),
        ("ColorRampVisualizer.createBlueRed(0, 1).process(0.3)", [0, 0.6980392156862745, 1]),
        ("ColorRampVisualizer.createOceanColor(0, 1).process(1)", [105 / 255, 0, 0]),
        ("ColorGradientVisualizer.createRedTemperature(0, 1).process(0.3)", [0.43137254901960786, 0, 0]),
        ("ColorGradientVisualizer.createBlueRed(0, 1).process(0.5)", [128 / 255, 1, 128 / 255]),
        ("[0.25, 0.376, 0.4, 0.7].map(v => new HighlightCompressVisualizer(0.1, 0.4).process(v))",
         [0.5, 0.92, 0.925925925925926, 1]),
        ("new DefaultVisualizer(0, 0.4).processList([0.1, 0.2, 0.8])", [0.25, 0.5, 1]),
        ("int2rgb(65537)", [1, 0, 1]),
        ("[rgb2int([0, 1, 0])]", [256]),
        ("normalizeRGB([255, 0, 51])", [1, 0, 0.2]),
        ("combine([100, 0, 0], [0, 100, 0], 0.5)", [50, 50, 0]),
        ("[index(0.6, 0.4), index(0.5, -0.5)]", [0.2, 0]),
        ("[inverse(5), inverse(0) === JAVA_DOUBLE_MAX_VAL ? 1 : 0]", [0.2, 1]),
        ("[2, 5, 12].map(v => valueMap(v, [1, 3, 5, 7, 10], [100, 300, 500, 700, 900]))", [300, 500, 900]),
        ("[-10, 0, 9].map(v => valueInterpolate(v, [-10, -5, 0, 5, 10], [-1000, -50, 0, 50, 1000]))",
         [-1000, 0, 810]),
        ("[valueMap(50), valueInterpolate(50)]", [50, 50]),
        ("colorBlend(0.1, [0, 0.2, 0.4], [[0, 0, 0], [0.1, 0.2, 0.5], [1, 1, 1]])", [0.05, 0.1, 0.25]),
        ("[decodeL8C2Qa(55052).cirrusConfidence, decodeL8C2Qa(55052).cloudShadowConfidence]", [3, 1]),
        ("[decodeS3OLCIQualityFlags(0x80000001)].flatMap(f => [f.land, f.saturatedB21])", [1, 1]),
        ("[blueRed.length, redTemperature.length, greenWhite.length]", [6, 5, 4]),
        ("Object.values(SampleType).concat(Object.values(Mosaicking)).map(name => name.length)",
         [4, 5, 5, 6, 7, 4, 6, 5, 4]),
    ],
)  # fmt: skip
def test_helpers_give_the_documented_values(expression: str, values: list[float]) -> None:
    script = NDVI.replace("[index(sample.B08, sample.B04)]", expression)
    assert evaluate_pixel(script, {"B04": 0, "B08": 0})["default"] == pytest.approx(values, abs=1e-9)


def test_a_script_may_use_their_names_for_itself() -> None:
    own = NDVI.replace(
        "function setup", "const index = (a, b) => a + b; class ColorMapVisualizer {}\nfunction setup"
    )
    assert evaluate_pixel(own, {"B04": 1, "B08": 2}) == {"default": [3]}
