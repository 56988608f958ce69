"""The sandbox's tests speak to it in plain HTTP."""

from __future__ import annotations

import pytest
from sandbox.batch_calls import Batch
from sandbox_driver import Sandbox


@pytest.fixture
def batch(sandbox: Sandbox) -> Batch:
    """The Batch API of the sandbox, with a token."""
    return Batch(sandbox)
