"""What was estimated and what was spent: in the result, the asset event, the metrics, the log, the mark."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import Asset
from airflow.sdk._shared.observability.metrics import stats
from airflow.sdk.exceptions import AirflowFailException
from airflow_runner import StateStore, TaskInstance, run, within
from support import client_for, definition
from whole_life import Task, impatience, operator

from airflow_provider_sentinelhub.cli import main
from airflow_provider_sentinelhub.client.fingerprint import Fingerprint
from airflow_provider_sentinelhub.client.spending import Spending, table
from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_driver import Sandbox

MODES = (False, True)


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    with impatience():
        yield


class Gauges:
    """Where Airflow's metrics go."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[float, Any]] = {}

    def gauge(self, stat: str, value: float, *_: Any, tags: Any = None, **__: Any) -> None:
        self.values[stat] = (value, tags)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: contextlib.nullcontext()


@pytest.fixture
def gauges(monkeypatch: pytest.MonkeyPatch) -> Gauges:
    found = Gauges()
    monkeypatch.setattr(stats, "_backend", found)
    return found


@pytest.mark.parametrize("deferrable", MODES)
def test_estimate_and_cost_are_recorded_everywhere(
    sandbox: Sandbox, gauges: Gauges, capsys: pytest.CaptureFixture[str], deferrable: bool
) -> None:
    outlet = Asset("s3://sandbox/whole")
    instance = TaskInstance()
    instance.run_id = f"deferrable {deferrable}"
    context = within(instance, StateStore())
    result, _ = run(operator(outlets=[outlet], deferrable=deferrable), context)
    figures = {"cost_pu": 100.0, "estimated_pu": dict.fromkeys(("low", "likely", "high"), 100.0)}
    figures |= {"pu_ratio": 1.0, "tiles": 1}
    assert {name: result[name] for name in figures} == figures
    extra = context["outlet_events"][outlet].extra
    assert {name: extra[name] for name in figures} == figures
    tags = {"dag_id": "dag", "task_id": "task"}
    expected = {"pu_estimated": 100.0, "pu_spent": 100.0, "pu_ratio": 1.0, "tiles": 1}
    for name, value in expected.items():
        assert gauges.values[f"sentinelhub.batch.{name}"] == (value, tags), name
    last = capsys.readouterr().out.splitlines()[-1]
    assert "100.00 PU spent, 1.000 of the 100.00 PU estimated, 1 tiles" in last


def test_what_cannot_be_priced_is_started_all_the_same(sandbox: Sandbox) -> None:
    client = client_for(sandbox)
    request_id = client.create(definition(sandbox).to_wire()).id
    task = Task(StateStore())
    result = task.attempt(request_id=request_id, delivery_aws_conn_id=None)
    assert (result["status"], result["estimated_pu"], result["pu_ratio"]) == ("DONE", None, None)


def test_an_estimate_that_was_forgotten_is_made_again(sandbox: Sandbox) -> None:
    task = Task(StateStore())
    result = task.attempt()
    assert result["pu_ratio"] == 1
    task.store = StateStore()
    assert task.attempt() == result


# --- the mark


def test_the_mark_names_the_dag_and_older_marks_are_read() -> None:
    who = {"dag": "fields.north-1", "run": "r"}
    new = Fingerprint.of(who, {"a": 1})
    assert new.mark.endswith(" fields.north-1]")
    assert Fingerprint.read(f"my text {new.mark}") == new
    read = Fingerprint.read(new.mark)
    assert read is not None
    assert read.dag_id == "fields.north-1"
    old = new.mark.replace(" fields.north-1", "")
    assert new.marks(f"text {old}"), "the request of an older version is found"
    assert not new.marks(Fingerprint.of(who, {"a": 2}).mark)
    assert Fingerprint.read("text [airflow 12-34 dag]") is None


@pytest.mark.parametrize("dag_id", ["dag", "répétition", "a" * 250])
def test_any_dag_id_goes_through_the_service(sandbox: Sandbox, dag_id: str) -> None:
    mark = Fingerprint.of({"dag": dag_id}, {})
    wire = {**definition(sandbox).to_wire(), "description": mark.sign("text")}
    client = client_for(sandbox)
    read = Fingerprint.read(client.get(client.create(wire).id).description)
    assert read is not None
    assert (read, read.dag_id) == (mark, dag_id)


# --- spending


@pytest.fixture
def account(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> str:
    """A connection of an account that has made nothing yet."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", os.environ.get("_AIRFLOW_PROCESS_CONTEXT", "client"))
    name = f"account-{datetime.now(timezone.utc):%H%M%S%f}"
    sandbox.add_account(name, "secret-of-it")
    connection = sandbox.connections["AIRFLOW_CONN_SENTINELHUB_DEFAULT"]
    connection = connection.replace(sandbox.client_id, name).replace(sandbox.client_secret, "secret-of-it")
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", connection)
    return "other"


def test_spending_is_summed_by_dag_and_month(
    sandbox: Sandbox, account: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def spend(dag_id: str, **changes: Any) -> None:
        instance = TaskInstance()
        instance.dag_id = dag_id
        run(operator(sentinelhub_conn_id=account, **changes), within(instance, StateStore()))

    hook = SentinelHubHook(account)
    hook.client.create(definition(sandbox, description="by hand").to_wire())
    spend("north")
    spend("north", resolution=10)
    spend("south")
    spend("south", resolution=10, analyse_only=True)
    capsys.readouterr()
    month = f"{next(hook.client.iter_requests()).created:%Y-%m}"
    rows = [
        Spending(month, "", 1, 0.0),
        Spending(month, "north", 2, 200.0),
        Spending(month, "south", 2, 100.0),
    ]
    assert hook.spending() == rows
    newest = next(hook.client.iter_requests()).created
    assert newest is not None
    assert hook.spending(since=newest) == [Spending(month, "south", 1, 0.0)]
    assert sum(row.requests for row in hook.spending(until=newest)) == 4
    assert hook.spending(since=newest + timedelta(seconds=1)) == []

    assert main(["spending", "--conn-id", account]) == 0
    said = capsys.readouterr().out
    assert table(rows) in said
    lines = [line.split() for line in said.splitlines()]
    assert [month, "north", "2", "200.00"] in lines
    assert lines[-1] == ["sum", "5", "300.00"]
    assert main(["spending", "--conn-id", account, "--since", "2100-01-01"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["sum", "0", "0.00"]


def test_the_command_says_what_is_wrong(
    account: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(Path(sys.executable).with_name("sentinelhub-airflow")), "spending", "--since", "soon"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, "'soon' is not a date" in ended.stderr) == (2, True)
    connection = os.environ["AIRFLOW_CONN_OTHER"]
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", connection.replace("secret-of-it", "no-longer"))
    assert main(["spending", "--conn-id", account]) == 1
    assert "client secret" in capsys.readouterr().err


def test_a_balance_below_the_minimum_is_the_services_refusal(sandbox: Sandbox) -> None:
    sandbox.steer(balance_pu=900)
    with pytest.raises(AirflowFailException, match=r"InsufficientProcessingUnitsError.*processing units"):
        Task(StateStore()).attempt()
