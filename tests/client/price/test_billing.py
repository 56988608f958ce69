"""A few random requests, priced, processed and billed; ``make prices`` makes many."""

from __future__ import annotations

from contextlib import closing

import pytest
from sandbox_driver import Sandbox
from support import client_for
from trials.prices import trial


@pytest.mark.parametrize("number", [0, 4, 6])
def test_the_price_is_what_is_billed(sandbox: Sandbox, number: int) -> None:
    with closing(client_for(sandbox)) as client:
        outcome = trial(sandbox, client, number, seed=1)
    assert outcome.units > 0
    assert outcome.close
    assert outcome.bracketed
    assert outcome.before.tiles == outcome.after.tiles
