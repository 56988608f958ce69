"""Where the trials happen: a sandbox, an Airflow, triggerers that may be killed, and a look at it all."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from airflow_driver import AirflowStandalone, airflow_command, free_ports
from sandbox_driver import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TASK = "batch"
DAGS = Path(__file__).parent / "dags"
# Short enough to be waited for, long enough for a busy machine.
UNHEALTHY_AFTER = 15
AT_ONCE = 24
# Until the triggerer runs the trigger of a deferred task, Airflow tells nobody that the task was killed.
SETTLED = 8


@dataclass
class Request:
    """A batch request as the sandbox has counted it."""

    creates: int
    starts: int
    stops: int
    pu: float
    status: str


@dataclass
class Group:
    """One Dag run; each of its map indices is one trial."""

    name: str
    dag_id: str
    run_id: str
    labels: list[str]
    requests: dict[str, list[Request]] = field(default_factory=dict)
    tasks: list[dict[str, Any]] = field(default_factory=list)


class Airflow(AirflowStandalone):
    """The Airflow under trial; its processes may be found."""

    @property
    def pid(self) -> int:
        """The process id of `airflow standalone` itself."""
        assert self._process is not None
        return self._process.pid


class Stage:
    """Everything that runs during the trials; a context manager that ends all of it."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        settings = {
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__PARALLELISM": str(AT_ONCE),
            # A run's tasks are read at once.
            "AIRFLOW__API__MAXIMUM_PAGE_LIMIT": "1000",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__MAX_TIS_PER_QUERY": "32",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(UNHEALTHY_AFTER),
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "3",
        }
        # SQLite has one writer at a time: two dozen tasks may have to wait for longer than its five seconds.
        waiting = f"sqlite:///{folder / 'airflow' / 'airflow.db'}?timeout=120"
        settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = database or waiting
        self.sandbox = Sandbox(folder / "sandbox")
        self.sandbox.start()
        self.airflow = Airflow(folder / "airflow", self.sandbox.connections, **settings)
        self.triggerers: list[int] = []
        self._added: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Stage:
        try:
            self.airflow.__enter__()
        except BaseException:
            self.sandbox.stop()
            raise
        self.triggerers = [
            pid for pid in children(self.airflow.pid) if b"\0triggerer" in read(pid, "cmdline")
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for triggerer in self._added:
            for pid in family(triggerer.pid):
                send(pid, signal.SIGKILL)
            triggerer.wait(30)
        self.airflow.__exit__()
        self.sandbox.stop()

    # -- runs

    def pace(self, analysis: float, processing: float) -> None:
        """Set how many seconds the two phases last; for requests that are in one already, too."""
        self.sandbox.steer(analysis={"seconds": analysis}, processing={"seconds": processing})

    def begin(
        self, name: str, count: int, *, dag_id: str, deferrable: bool, dies: Sequence[str | None] = (None,)
    ) -> Group:
        """Start a run with ``count`` trials for each moment to die at."""
        stamp = time.time_ns()
        labels, trials = [], []
        for moment in dies:
            for index in range(count):
                label = f"<{stamp}/{moment}/{index}>"
                labels.append(label)
                trials.append({"description": label, "deferrable": deferrable, "dies": moment})
        return Group(name, dag_id, self.airflow.trigger(dag_id, {"trials": trials}), labels)

    def look(self, group: Group) -> Group:
        """Read what has become of a run: its tasks, and the requests of each of its trials."""
        group.requests = {label: [] for label in group.labels}
        descriptions = self._descriptions()
        tallies = self.sandbox.journal()["requests"]
        for request_id, description in descriptions.items():
            found = re.match("<.*?>", description)
            if found and found[0] in group.requests:
                tally = {key: tallies[request_id][key] for key in Request.__dataclass_fields__}
                group.requests[found[0]].append(Request(**tally))
        try:
            tasks = self.airflow.tasks(group.dag_id, group.run_id)
            group.tasks = [task for task in tasks if task["task_id"] == TASK]
        except RuntimeError as error:
            if "404" not in str(error):
                raise
            group.tasks = []  # deleted
        return group

    def _descriptions(self) -> dict[str, str]:
        found: dict[str, str] = {}
        params: dict[str, str] = {}
        token = self.sandbox.token()
        while True:
            page = self.sandbox.call("GET", "/batch/v2/process", token=token, params=params).json()
            for request in page["data"]:
                found[request["id"]] = str(request["request"].get("description") or "")
            following = (page.get("links") or {}).get("nextToken")
            if not following:
                return found
            params = {"viewtoken": following}

    def wait(
        self, group: Group, check: Callable[[Group], bool], what: str, seconds: float, every: float = 4.0
    ) -> bool:
        """Look until ``check`` holds; False, which the caller weighs, if it does not in time."""
        until = time.monotonic() + seconds
        while True:
            try:
                if check(self.look(group)):
                    return True
            except requests.RequestException as error:
                tell(f"   {group.name}: looked in vain ({type(error).__name__})")
            if time.monotonic() > until:
                tell(f"   {group.name}: no '{what}' after {seconds:g} s: {summary(group)}")
                return False
            time.sleep(every)

    def finish(self, group: Group, seconds: float) -> bool:
        """Wait until no task of the run can change any more."""
        ended = {"success", "failed", "upstream_failed", "skipped", "removed"}
        return self.wait(
            group,
            lambda g: len(g.tasks) == len(g.labels) and all(task["state"] in ended for task in g.tasks),
            "all ended",
            seconds,
        )

    def change_run(self, group: Group, **fields: Any) -> None:
        """Patch the Dag run."""
        self.airflow.call("PATCH", f"/dags/{group.dag_id}/dagRuns/{group.run_id}", json=fields)

    # -- triggerers

    def add_triggerer(self) -> None:
        """Start another triggerer in the same environment, and wait until it works."""
        known = self._triggerer_jobs()
        [port] = free_ports(1)
        environment = {**self.airflow.environment, "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(port)}
        with (self.airflow.home / f"triggerer-{len(self._added) + 1}.log").open("wb") as log:
            process = subprocess.Popen(
                airflow_command("triggerer"), env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self._added.append(process)
        self.triggerers.append(process.pid)
        self.sandbox.wait(lambda: self._triggerer_jobs() > known, timeout=90, every=1, what="a triggerer")

    def _triggerer_jobs(self) -> int:
        """Count the triggerers that Airflow has ever known."""
        found = self.airflow.call("GET", "/jobs", params={"job_type": "TriggererJob", "limit": 1})
        return int(found["total_entries"])

    def kills_asked_for(self, group: Group) -> int:
        """Count how often Airflow has called ``on_kill`` of the run's triggers, by their logs."""
        logs = (self.airflow.home / "logs" / f"dag_id={group.dag_id}" / f"run_id={group.run_id}").rglob("*")
        return sum(path.read_text().count("invoking on_kill") for path in logs if path.is_file())


def in_phase(task_state: str, status: str) -> Callable[[Group], bool]:
    """Return a check: each task is in this state, each trial's one request in this status."""
    return lambda group: (
        len(group.tasks) == len(group.labels)
        and all(task["state"] == task_state for task in group.tasks)
        and (task_state != "deferred" or all(triggerer_of(task) for task in group.tasks))
        and all([one.status for one in of] == [status] for of in group.requests.values())
    )


def triggerer_of(task: dict[str, Any]) -> int | None:
    """Return the id of the triggerer that a task waits in."""
    return (task["trigger"] or {}).get("triggerer_id")


def summary(group: Group) -> str:
    """Say in one line where a run is."""
    states = Counter(str(task["state"]) for task in group.tasks)
    statuses = Counter(one.status for of in group.requests.values() for one in of)
    return f"tasks {dict(states)}, requests {dict(statuses)}"


def read(pid: int, name: str) -> bytes:
    """Read a file of /proc; empty if the process has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def children(pid: int) -> list[int]:
    """Return the children that a process, in any of its threads, has started."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        found += map(int, read(pid, f"task/{thread.name}/children").split())
    return found


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    return [pid, *(one for child in children(pid) for one in family(child))]


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, if it still is there."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def tell(text: str) -> None:
    """Print progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
