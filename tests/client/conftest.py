"""Our client of the sandbox, for every test of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import client_for

if TYPE_CHECKING:
    from sandbox_driver import Sandbox

    from airflow_provider_sentinelhub.client.batch import BatchClient


@pytest.fixture
def client(sandbox: Sandbox) -> BatchClient:
    """A client that is impatient, as tests are."""
    return client_for(sandbox)
