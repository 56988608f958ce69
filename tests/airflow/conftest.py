"""A running Airflow for the tests that need one."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from airflow_driver import AirflowStandalone, airflow_command, airflow_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox_driver import Sandbox


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Airflow home whose database is ready; made once, copied by whoever needs one."""
    home = tmp_path_factory.mktemp("migrated")
    environment = airflow_environment(home, {})
    subprocess.run(airflow_command("db", "migrate"), env=environment, check=True, capture_output=True)
    return home


@pytest.fixture(scope="session")
def standalone(
    running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowStandalone]:
    """`airflow standalone`, connected to the sandbox."""
    home = tmp_path_factory.mktemp("standalone")
    # So that a secret in any log or in any row of the database would be found.
    telling = {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG", "AIRFLOW__CORE__FERNET_KEY": ""}
    with AirflowStandalone(home, running_sandbox.connections, **telling) as airflow:
        yield airflow
