"""No script is too strange to be judged: whatever is in it, there are findings and no other error."""

from __future__ import annotations

import random
import re

import pytest
from client.evalscript.good import GOOD
from client.evalscript.wrong import NDVI

from airflow_provider_sentinelhub.client.evalscript import check

ODD = [
    *(
        "null",
        "undefined",
        "NaN",
        "-1",
        "0",
        "1e999",
        "[]",
        "{}",
        '"x"',
        "true",
        "function () {}",
        "Symbol()",
    ),
    *("[[]]", "10n", "new Date()", "new Proxy({}, {})", "{__proto__: null}", "{length: 2}", "{'\\0': 1}"),
]
PART = re.compile(r'"[^"]*"|\b\d+\b|\[[^\[\]]*\]|\{[^{}]*\}|samples?\.\w+')
SOURCES: list[list[tuple[str, str | None]]] = [
    [],
    [("sentinel-2-l2a", None)],
    [("landsat-ot-l1", None)],
    [("sentinel-1-grd", "s1"), ("sentinel-2-l2a", "s2")],
    [("byoc-1", None), ("dem", None)],
]


def spoilt(script: str, dice: random.Random) -> str:
    """Cut something off, cut something out, or put something odd in."""
    start = dice.randrange(len(script))
    if dice.random() < 0.1:
        return script[:start]
    if dice.random() < 0.2:
        return script[:start] + script[start + dice.randrange(1, 5) :]
    part = dice.choice([*PART.finditer(script)])
    return script[: part.start()] + dice.choice(ODD) + script[part.end() :]


@pytest.mark.parametrize("seed", range(5))
def test_spoilt_scripts(seed: int) -> None:
    dice = random.Random(seed)
    refused = 0
    for _ in range(100):
        script = spoilt(dice.choice([*GOOD.values()]).script, dice)
        found = check(script, sources=dice.choice(SOURCES), output=dice.choice(["raster", "zarr"]))
        assert all(map(str, found.faults)), script
        refused += bool(found.faults)
    assert refused > 20


@pytest.mark.parametrize(
    "trick",
    [
        "JSON = null; Object = null; Array = null; Date = null; Proxy = null;",
        "Object.prototype.toJSON = () => 'x';",
        "Array.prototype.map = null;",
        "Object.defineProperty(globalThis, 'setup', {get() { throw 1; }});",
        "throw null;",
        "throw {toString() { throw 2; }};",
        "'\0';",
        "'\ud800';",
    ],
)
def test_scripts_that_tamper_with_the_engine(trick: str) -> None:
    check(f"{NDVI}\n{trick}")
