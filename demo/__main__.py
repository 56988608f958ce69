"""Run the example Dag on the sandbox, print its table, save a picture: ``make demo``."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from demo.mosaic import save_mosaic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parent.parent
OUTPUT = ROOT / "demo-output"
DAG_ID = "example_ndvi_batch"
# Lines of Airflow's log that tell the story, and those of the table; the whole log is in a file.
STORY = re.compile(r"((?:Created b|B)atch request \S+(?:, | delivered |: ).*?)\s+\[")
TABLE = re.compile(r"tile +mean NDVI +clear %|\S+ +(?:-?\d\.\d{4}|no data) +\d+\.\d")
BEGAN = time.monotonic()


def say(words: str) -> None:
    """Tell the reader what is going on, and when."""
    print(f"[{time.monotonic() - BEGAN:5.1f} s] {words}", flush=True)


def main() -> int:
    """Run the demo; returns the exit code."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    say("Starting a local Sentinel Hub with a real bucket")
    with sandbox() as connections:
        environment = airflow_environment(connections)
        say("Preparing Airflow's database")
        with (OUTPUT / "migrate.log").open("w") as log:
            subprocess.run(airflow("db", "migrate"), env=environment, check=True, stdout=log, stderr=log)
        say(f"Running the Dag {DAG_ID}")
        if not run_dag(environment):
            say(f"The Dag failed; its log is {OUTPUT / 'dag.log'}")
            return 1
        say("Laying the NDVI tiles together")
        picture = OUTPUT / "ndvi.png"
        save_mosaic(s3_client(connections), "sandbox", "ndvi/", picture)
    say(f"Done. The NDVI mosaic is {picture}")
    return 0


@contextlib.contextmanager
def sandbox() -> Iterator[dict[str, str]]:
    """Run the sandbox for as long as the block lasts; gives the variables that it prints."""
    command = [sys.executable, "-m", "airflow_provider_sentinelhub.sandbox", "--ephemeral"]
    with (OUTPUT / "sandbox.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    connections = {}
    try:
        for line in process.stdout or ():
            if line.startswith("export "):
                name, _, value = shlex.split(line)[1].partition("=")
                connections[name] = value
            elif "ready" in line:
                say(line.lstrip("# ").strip())
                break
        else:
            raise SystemExit((OUTPUT / "sandbox.log").read_text())
        yield connections
    finally:
        process.terminate()
        process.wait(30)


def airflow_environment(connections: dict[str, str]) -> dict[str, str]:
    """Return the variables of an Airflow of the demo's own."""
    return {
        **os.environ,
        **connections,
        "AIRFLOW_HOME": str(OUTPUT / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "example_dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "NO_COLOR": "1",
    }


def airflow(*words: str) -> list[str]:
    """Return the command line of this environment's own ``airflow``."""
    return [str(Path(sys.executable).with_name("airflow")), *words]


def run_dag(environment: dict[str, str]) -> bool:
    """Run the Dag, retell its story as it goes, and print its table; False if it failed."""
    dag = subprocess.Popen(
        airflow("dags", "test", DAG_ID),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    last = ""
    table = []
    with (OUTPUT / "dag.log").open("w") as log:
        for line in dag.stdout or ():
            log.write(line)
            if (found := STORY.search(line)) and found[1] != last:
                last = found[1]
                say(last)
            elif TABLE.fullmatch(line.strip()):
                table.append(f"    {line}")
    print("\n", *table, sep="")
    return dag.wait() == 0


def s3_client(connections: dict[str, str]) -> S3Client:
    """Return a client of the sandbox's bucket, made from its Airflow connection."""
    connection = json.loads(connections["AIRFLOW_CONN_AWS_DEFAULT"])
    return boto3.client(
        "s3",
        endpoint_url=connection["extra"]["endpoint_url"],
        region_name=connection["extra"]["region_name"],
        aws_access_key_id=connection["login"],
        aws_secret_access_key=connection["password"],
        config=Config(s3={"addressing_style": "path"}),
    )


if __name__ == "__main__":
    sys.exit(main())
