"""A script's answer for one pixel, for unit tests of scripts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from airflow_provider_sentinelhub.client.evalscript import samples as made_up
from airflow_provider_sentinelhub.client.evalscript.engine import Engine
from airflow_provider_sentinelhub.client.evalscript.preflight import describe

Sample = Mapping[str, float]


def evaluate_pixel(
    script: str,
    samples: Sample | Sequence[Sample] | Mapping[str, Sequence[Sample]],
    scenes: Sequence[datetime | str] | None = None,
) -> dict[str, list[float]]:
    """Run ``evaluatePixel()`` on one pixel and return the values of each output, as the script returned them.

    They are not rounded, stretched or clamped to the sampleType; ``undefined`` is NaN.
    ``preProcessScenes()`` and ``updateOutput()`` run before, as on the service.

    :param script: the evalscript's text
    :param samples: band to value, in the unit that the script asks for; with ORBIT or TILE mosaicking a list
        of these, the most recent first; with data fusion a dict of datasource to list
    :param scenes: with ORBIT or TILE mosaicking the date-times of the samples, UTC where they have no zone;
        by default five days apart
    :raises DefinitionError: ``setup()`` cannot be read
    :raises ScriptError: the script fails or does not end
    """
    setup = describe(script)
    fusion = len(setup.datasources) > 1
    given: list[Any] = [samples]
    if fusion and isinstance(samples, Mapping):
        given = [samples[name] for name in setup.datasources]
    sources = []
    for index, item in enumerate(given):
        inputs = setup.inputs_of(setup.datasources[index]) if fusion else setup.inputs
        mosaicking = next((one.mosaicking for one in inputs if fusion and one.mosaicking), setup.mosaicking)
        listed = isinstance(item, Sequence)
        if listed != (fusion or mosaicking != "SIMPLE"):
            expected = "a list of samples" if not listed else "one sample, a dict of band to value"
            raise TypeError(f"with mosaicking {mosaicking} a pixel has {expected}")
        dated = made_up.scenes(len(item)) if scenes is None else [made_up.scene(_date(one)) for one in scenes]
        if mosaicking != "SIMPLE" and len(dated) != len(item):
            raise ValueError(f"there are {len(item)} samples and {len(dated)} scenes")
        key = setup.datasources[index] if fusion else None
        taken = [] if mosaicking == "SIMPLE" else dated
        sources.append({"key": key, "mosaicking": mosaicking, "scenes": taken})
    engine = Engine(script)
    engine.call("setup")
    outputs = [{"id": output.id, "bands": output.bands} for output in setup.outputs]
    dates = [_date(one) for one in scenes or ()]
    engine.call("start", {**made_up.period(dates), "sources": sources, "outputs": outputs})
    answer = engine.call("pixel", [_plain(item) for item in given])["answer"]
    if answer["form"] == "array":
        return {setup.outputs[0].id: _numbers(answer["values"])}
    found = answer.get("outputs", {}).items()
    return {name: _numbers(values.get("values", [])) for name, values in found}


def _plain(item: Any) -> Any:
    return [dict(one) for one in item] if isinstance(item, Sequence) else dict(item)


def _date(value: datetime | str) -> datetime:
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


def _numbers(values: Sequence[Any]) -> list[float]:
    return [float(value) if isinstance(value, int | float) else math.nan for value in values]
