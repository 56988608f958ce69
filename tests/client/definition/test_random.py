"""Whatever a definition can say, the published document accepts; nothing is null, and keys are only there."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import pytest
from batch_schema import CREATE, KEYS
from random_definitions import definitions, look_up

from airflow_provider_sentinelhub.client.definition import BatchDefinition

VALIDATOR = jsonschema.Draft202012Validator(CREATE)
SEEDS = range(4)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_sound_definition_is_accepted_by_the_schema(seed: int) -> None:
    seen: set[str] = set()
    for said in definitions(550, seed=seed):
        definition = BatchDefinition.read(said, look_up=look_up)
        definition.check()
        wire = definition.to_wire()
        json.dumps(wire, allow_nan=False)
        wrong = list(VALIDATOR.iter_errors(wire))
        assert not wrong, (said, wrong[0].json_path, wrong[0].message)
        shown = repr(definition) + json.dumps(definition.without_keys().to_wire())
        assert "planted" not in shown
        assert json.loads(json.dumps(said, default=list)).keys() == said.keys()
        seen |= _keys(wire)
    # Everything was said at least once.
    unsaid = KEYS - seen
    assert not unsaid


def test_the_schema_can_refuse() -> None:
    """A schema that accepts anything proves nothing: one change at a random place is enough."""
    dice = random.Random(7)
    accepted = 0
    for said in definitions(200, seed=9):
        wire = BatchDefinition.read(said, look_up=look_up).to_wire()
        place = _random_place(wire, dice)
        place["planted"] = None
        accepted += VALIDATOR.is_valid(wire)
    # In compressor and customAttributes anything goes.
    assert accepted < 10


def _random_place(value: Any, dice: random.Random) -> dict[str, Any]:
    objects = []

    def walk(one: Any) -> None:
        if isinstance(one, dict):
            objects.append(one)
        for item in one.values() if isinstance(one, dict) else one if isinstance(one, list) else ():
            walk(item)

    walk(value)
    return dice.choice(objects)


def _keys(value: Any) -> set[str]:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {*(value if isinstance(value, dict) else ()), *(key for item in items for key in _keys(item))}
