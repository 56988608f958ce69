"""The layout shows the architecture: imports go one way, and importing costs a scheduler almost nothing."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = "airflow_provider_sentinelhub"
ROOT = Path(__file__).parent.parent / PACKAGE
# Who may import whom within the package. The sandbox shares nothing with the client: a misreading of the
# API would otherwise pass on both sides.
ALLOWED = {
    "": set(),
    "client": {"client"},
    "hooks": {"hooks", "client"},
    "links": {"client"},
    "assets": {"client"},
    "triggers": {"triggers", "hooks", "client"},
    "operators": {"operators", "triggers", "hooks", "client", "links", "assets"},
    "sensors": {"sensors", "triggers", "hooks", "client", "links", "assets"},
    "sandbox": {"sandbox"},
    "cli": {"cli", "hooks", "client"},
    "testing": {"client"},
}
HEAVY = (
    *("shapely", "numpy", "pyproj", "boto3", "botocore", "requests", "tenacity"),
    "airflow.providers.amazon",
)


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def part(module: str) -> str | None:
    if not re.match(rf"{PACKAGE}(\.|$)", module):
        return None
    return [*module.split("."), ""][1]


MODULES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0].removesuffix(".py").replace("__init__", "")
    for module in imported(path):
        other = part(module)
        if other and other in ALLOWED:
            assert other in ALLOWED[own], f"{path} imports {module}"
        if own in ("client", "sandbox", "testing", ""):
            assert not re.match(r"airflow(\.|$)", module), f"{path} imports {module}"


def test_the_package_itself_imports_nothing() -> None:
    assert imported(ROOT / "__init__.py") == {"__future__", "__future__.annotations"}


def test_the_command_checks_scripts_where_there_is_no_airflow() -> None:
    code = f"import sys, {PACKAGE}.cli; sys.exit('airflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_operators_and_sensors_load_nothing_heavy() -> None:
    code = f"""
import sys, json, airflow.sdk, airflow.triggers.base
before = set(sys.modules)
import {PACKAGE}.operators.batch, {PACKAGE}.operators.steps, {PACKAGE}.sensors.batch, {PACKAGE}.sensors.tiles
import {PACKAGE}.operators.process, {PACKAGE}.sensors.catalog
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(answer.stdout.splitlines()[-1])
    assert {f"{PACKAGE}.operators.steps", f"{PACKAGE}.sensors.catalog"} <= set(loaded)
    for heavy in HEAVY:
        assert not [name for name in loaded if name == heavy or name.startswith(f"{heavy}.")], heavy
