"""The provider as Airflow sees it."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from airflow.sdk import BaseHook, BaseOperator
from airflow.triggers.base import BaseTrigger

import airflow_provider_sentinelhub
from airflow_provider_sentinelhub.client.deployments import DEPLOYMENT_NAMES

INFO: Any = airflow_provider_sentinelhub.get_provider_info()
SCHEMAS = Path(airflow.__file__).parent


def test_the_metadata_fits_both_of_airflows_schemas() -> None:
    jsonschema.validate(INFO, json.loads((SCHEMAS / "provider_info.schema.json").read_text()))
    # The stricter document, of Airflow's own providers, knows the shape of the connection form.
    strict = json.loads((SCHEMAS / "provider.yaml.schema.json").read_text())["properties"]
    for connection_type in INFO["connection-types"]:
        jsonschema.validate(connection_type, strict["connection-types"]["items"])


def test_distribution_and_version_agree_with_the_metadata() -> None:
    assert INFO["package-name"] == "airflow-provider-sentinelhub"
    assert metadata.version("airflow-provider-sentinelhub") == airflow_provider_sentinelhub.__version__


def test_the_form_offers_the_deployments_that_the_client_knows() -> None:
    fields = INFO["connection-types"][0]["conn-fields"]
    assert tuple(fields["deployment"]["schema"]["enum"]) == DEPLOYMENT_NAMES


BASES = {"operators": BaseOperator, "sensors": BaseOperator, "hooks": BaseHook, "triggers": BaseTrigger}


@pytest.mark.parametrize("kind", BASES)
def test_every_module_that_is_named_exists_and_none_is_left_out(kind: str) -> None:
    package = f"airflow_provider_sentinelhub.{kind}"
    found = set()
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        members = vars(importlib.import_module(module.name)).values()
        classes = [member for member in members if isinstance(member, type)]
        if any(c.__module__ == module.name and issubclass(c, BASES[kind]) for c in classes):
            found.add(module.name)
    assert found == {module for entry in INFO[kind] for module in entry["python-modules"]}


def airflow_says(*words: str, home: Path) -> str:
    env = {**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    command = [str(Path(sys.executable).with_name("airflow")), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=120).stdout


def test_airflow_lists_the_provider_its_hook_form_and_link(tmp_path: Path) -> None:
    providers = json.loads(airflow_says("providers", "list", "-o", "json", home=tmp_path))
    assert "airflow-provider-sentinelhub" in {row["package_name"] for row in providers}
    whole = airflow_says(
        "providers", "get", "airflow-provider-sentinelhub", "--full", "-o", "json", home=tmp_path
    )
    for word in ("sentinelhub", "SentinelHubHook", "SentinelHubDashboardLink"):
        assert word in whole
    hooks = json.loads(airflow_says("providers", "hooks", "-o", "json", home=tmp_path))
    ours = next(row for row in hooks if row["connection_type"] == "sentinelhub")
    assert "sentinelhub_conn_id" in ours.values()
