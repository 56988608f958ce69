"""The operators' arguments become a definition: rendered, found in files, with keys of connections."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from support import ONE_TILE

from airflow_provider_sentinelhub.client.definition.reading import NAMES
from airflow_provider_sentinelhub.operators.batch import SentinelHubBatchOperator
from airflow_provider_sentinelhub.operators.definition import DefinitionOperator
from airflow_provider_sentinelhub.operators.selection import SelectionOperator
from airflow_provider_sentinelhub.operators.steps import SentinelHubCreateBatchOperator

# What an operator takes besides a definition.
BESIDE = ("area_conn_id", "check_write", "definition", "dry_run", "preflight")
SCRIPT = "//VERSION=3\n// {{ not jinja }} {% nor this %}\n"
ROLE = "arn:aws:iam::123456789012:role/batch"
SOUND: dict[str, Any] = {
    "evalscript": SCRIPT,
    "area": ONE_TILE,
    "time_range": ("2020-07-01", "2020-07-31"),
    "tiling_grid_id": 1,
    "resolution": 10,
    "delivery_url": "s3://bucket/x",
    "iam_role_arn": ROLE,
}


def sent(
    within: dict[str, Any] | None = None, folder: Path | None = None, **arguments: Any
) -> dict[str, Any]:
    """Return what the service would be sent, after Jinja has been through the arguments."""
    with DAG("dag", schedule=None, template_searchpath=[str(folder)] if folder else None):
        operator = SentinelHubCreateBatchOperator(task_id="create", **arguments)
    values: Any = within or {}
    operator.render_template_fields(values)
    shown = json.dumps({name: getattr(operator, name) for name in operator.template_fields}, default=str)
    assert "planted" not in shown
    definition = operator._definition()
    definition.check()
    return definition.to_wire()


def test_every_name_of_a_definition_is_an_argument_and_documented() -> None:
    classes = (SelectionOperator, DefinitionOperator)
    arguments = [name for one in classes for name in inspect.signature(one.__init__).parameters]
    arguments = [name for name in arguments if name not in ("self", "kwargs", *BESIDE)]
    assert sorted(arguments) == sorted(NAMES)
    documented = [
        line.split(":")[1].removeprefix("param ")
        for one in classes
        for line in (one.__doc__ or "").splitlines()
        if line.strip().startswith(":param ")
    ]
    assert sorted(documented) == sorted([*NAMES, *BESIDE])
    assert set(DefinitionOperator.template_fields) >= {*NAMES, "definition"} - {"evalscript"}


def test_everything_but_the_evalscript_is_rendered() -> None:
    within = {"day": "2020-07-01", "n": 20, "yes": True, "region": None, "names": ["a", "b"]}
    templated = sent(
        within,
        **{
            **SOUND,
            "time_range": "{{ day }}/2020-07-31",
            "resolution": "{{ n }}",
            "buffer": ["{{ n }}", 0],
            "cog": "{{ yes }}",
            "cog_parameters": {"blockxsize": "{{ n * 16 }}"},
            "delivery_region": "{{ region }}",
            "outputs": "{{ names }}",
            "processing": {"upsampling": "{{ 'BICUBIC' }}"},
        },
    )
    assert templated == sent(
        **{
            **SOUND,
            "resolution": 20,
            "buffer": (20, 0),
            "cog": True,
            "cog_parameters": {"blockxsize": 320},
            "outputs": ["a", "b"],
            "processing": {"upsampling": "BICUBIC"},
        }
    )
    assert templated["processRequest"]["evalscript"] == SCRIPT


def test_a_definition_may_be_a_dict_or_a_file_and_arguments_win(tmp_path: Path) -> None:
    plain = sent(**SOUND)
    as_dict = {**SOUND, "resolution": "{{ n }}"}
    assert sent({"n": 10}, definition=as_dict) == plain
    (tmp_path / "ndvi.yaml").write_text(
        json.dumps({**SOUND, "evalscript": "ndvi.js", "time_range": ["2020-07-01", "2020-07-31"]})
    )
    (tmp_path / "ndvi.js").write_text(SCRIPT)
    assert sent({"what": "ndvi"}, tmp_path, definition="{{ what }}.yaml") == plain
    changed = sent({}, tmp_path, definition="ndvi.yaml", resolution="{{ 20 }}", overwrite=True)
    assert changed["input"]["resolution"] == 20
    assert changed["output"]["overwrite"] is True


def test_a_process_request_is_a_definition() -> None:
    process = sent(**SOUND)["processRequest"]
    given = {name: SOUND[name] for name in ("tiling_grid_id", "resolution", "delivery_url", "iam_role_arn")}
    with_size = {**process, "output": {**process["output"], "width": 512, "height": 512}}
    assert sent(**given, definition=with_size)["processRequest"] == process


def test_keys_come_from_connections(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    account = {"client_email": "me", "private_key": "planted-private-key"}
    (tmp_path / "key.json").write_text(json.dumps(account))
    for name, extra in {
        "gcp": {"keyfile_dict": json.dumps(account)},
        "by_path": {"key_path": str(tmp_path / "key.json")},
        "no_path": {"key_path": str(tmp_path / "none.json")},
        "empty": {},
    }.items():
        connection = {"conn_type": "google_cloud_platform", "extra": extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))
    keys = {"conn_type": "aws", "login": "planted-id", "password": "planted-secret"}
    monkeypatch.setenv("AIRFLOW_CONN_AWS", json.dumps(keys))
    said = {**SOUND, "iam_role_arn": None, "tiling_grid_id": None, "resolution": None}
    said |= {"delivery_url": "gs://bucket/x", "delivery_gcp_conn_id": "gcp"}
    said["geopackage"] = {"url": "s3://bucket/f.gpkg", "aws_conn_id": "aws"}
    first = sent(**said)
    assert first["input"]["features"]["s3"]["secretAccessKey"] == "planted-secret"
    assert first == sent(**{**said, "delivery_gcp_conn_id": "by_path"})
    for name, words in {
        "nowhere": "delivery_gcp_conn_id: there is no connection 'nowhere'. Create it, or mend its name",
        "empty": "delivery_gcp_conn_id: connection 'empty' holds no key. Put the",
        "no_path": "delivery_gcp_conn_id: the key_path of connection 'no_path' cannot be read",
    }.items():
        operator = SentinelHubCreateBatchOperator(task_id="t", **{**said, "delivery_gcp_conn_id": name})
        found = [str(fault) for fault in operator._definition().faults()]
        assert len(found) == 1
        assert found[0].startswith(words)


@pytest.mark.parametrize("name", ["evalscript", "area", "tiling_grid_id", "resolution", "delivery_url"])
def test_what_is_missing_is_said_while_the_dag_is_read(name: str) -> None:
    said = {key: value for key, value in SOUND.items() if key != name}
    with pytest.raises(TypeError, match=f"missing keyword argument '{name}'$"):
        SentinelHubCreateBatchOperator(task_id="t", **said)
    SentinelHubCreateBatchOperator(task_id="t", definition=said)
    SentinelHubBatchOperator(task_id="t", request_id="known")
