"""A real Airflow for tests: `airflow standalone` on free ports, driven and watched through its REST API."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from processes import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES = Path(__file__).parent.parent / "example_dags"


def airflow_environment(home: Path, connections: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an Airflow that lives in ``home`` and knows the example Dags."""
    return {
        **os.environ,
        **connections,
        # Standalone starts its parts as plain `airflow`.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW_HOME": str(home),
        # SQLite has one writer at a time: on a busy machine, five seconds are not enough for the others.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}?timeout=120",
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
    }


def airflow_command(*words: str) -> list[str]:
    """Return the command line of this environment's own ``airflow``."""
    return [str(Path(sys.executable).with_name("airflow")), *words]


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


class AirflowStandalone:
    """`airflow standalone` as a process of its own; a context manager that ends it with all its children."""

    def __init__(self, home: Path, connections: Mapping[str, str], **settings: str) -> None:
        api, worker_logs, trigger_logs, health = free_ports(4)
        self.url = f"http://127.0.0.1:{api}"
        self.home = home
        self.log = home / "standalone.log"
        self.environment = {
            **airflow_environment(home, connections),
            "AIRFLOW__API__PORT": str(api),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(health),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> AirflowStandalone:
        self.home.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                airflow_command("standalone"),
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        try:
            self._wait_until_healthy(300)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        group = self._process.pid
        os.killpg(group, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        # A scheduler may wait for ever for workers that were ended while they started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
        self._process.wait(30)

    def _wait_until_healthy(self, seconds: float) -> None:
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"airflow standalone ended: {self.log.read_text()[-3000:]}")
            try:
                health = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
                if all((health.get(part) or {}).get("status") == "healthy" for part in parts):
                    return
            except (requests.RequestException, ValueError):
                pass
            time.sleep(1)
        raise TimeoutError(f"airflow standalone is not healthy: {self.log.read_text()[-3000:]}")

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Call the REST API, ``path`` being what follows ``/api/v2``."""
        if "Authorization" not in self._session.headers:
            token = self._session.get(f"{self.url}/auth/token", timeout=150)
            token.raise_for_status()
            self._session.headers["Authorization"] = f"Bearer {token.json()['access_token']}"
        # Longer than a part of Airflow may wait for the others' writes to the database.
        answer = self._session.request(method, f"{self.url}/api/v2{path}", timeout=150, **arguments)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None, wait: float = 90) -> str:
        """Start a run of a Dag as soon as the Dag is known; returns the run's id."""
        end = time.monotonic() + wait
        while True:
            try:
                self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
                break
            except RuntimeError:
                if time.monotonic() > end:
                    raise
                time.sleep(1)
        body = {"logical_date": None, "conf": dict(conf or {})}
        run: str = self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"]
        return run

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the run's task instances."""
        found: list[dict[str, Any]] = self.call(
            "GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 1000}
        )["task_instances"]
        return found

    def watch(self, dag_id: str, run_id: str, seconds: float) -> tuple[str, dict[str, set[str]]]:
        """Wait for a run's end; returns its state and every state that each task was seen in."""
        seen: dict[str, set[str]] = {}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state: str = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"]
            for task in self.tasks(dag_id, run_id):
                seen.setdefault(task["task_id"], set()).add(str(task["state"]))
            if state in ("success", "failed"):
                return state, seen
            time.sleep(0.3)
        raise TimeoutError(f"{dag_id} {run_id} goes on after {seconds} s: {seen}")

    def let_go(self, run_id: str, task_id: str) -> bool:
        """Whether the scheduler knows of a worker that it has ended with the task, be it only to wait.

        Airflow fails a task that is answered, and so queued again, before it knows of that.
        """
        finished = f"task_id={task_id}, run_id={run_id},"
        lines = self.log.read_text(errors="replace").splitlines()
        return any("TaskInstance Finished" in line and finished in line for line in lines)

    def logs(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1, map_index: int = -1) -> str:
        """Return what a task has logged."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}"
        answer = self.call("GET", path, params={"map_index": map_index, "full_content": "true"})
        return "\n".join(str(line) for line in answer["content"])
