"""Shared by all tests: an Airflow home of their own, and a sandbox to talk to."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

# Before anything imports Airflow, which reads these once.
_HOME = tempfile.TemporaryDirectory(prefix="airflow-home-")
os.environ["AIRFLOW_HOME"] = _HOME.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).parent.parent / "example_dags")
# What a developer's machine has configured for the real services stays out of the tests.
for name in [*os.environ]:
    if name.startswith(("AIRFLOW_CONN_", "AWS_", "SH_")) and name != "AWS_CA_BUNDLE":
        del os.environ[name]

import pytest
from sandbox_driver import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    """One sandbox for all tests of a process."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox without faults and at full speed, its two connections known to Airflow."""
    running_sandbox.reset()
    running_sandbox.clear_journal()
    for name, value in running_sandbox.connections.items():
        monkeypatch.setenv(name, value)
    yield running_sandbox
    running_sandbox.reset()
    running_sandbox.forget_unfinished()
