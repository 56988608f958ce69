"""``sentinelhub-airflow spending``: what an account has spent on batch requests, by Dag and month."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime

from airflow_provider_sentinelhub.client.errors import SentinelHubError
from airflow_provider_sentinelhub.client.spending import table

_HELP = """\
Sums up the processing units of the account's batch requests, by the Dag that made them and the month in which
they were created (UTC). Requests that no Dag has marked are "(other)". The service forgets old requests.
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of a parser."""
    parser = commands.add_parser(
        "spending", help="sum up the processing units that Dags have spent", description=_HELP
    )
    parser.add_argument("--conn-id", default="sentinelhub_default", help="Airflow connection of the account")
    parser.add_argument("--since", type=_moment, metavar="DATE", help="first day, such as 2026-01-01 (UTC)")
    parser.add_argument("--until", type=_moment, metavar="DATE", help="the day after the last one (UTC)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table; returns the exit code."""
    # Without it, Airflow looks for connections in the environment only, and not in its database.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from airflow.sdk.exceptions import AirflowNotFoundException

    from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook

    try:
        rows = SentinelHubHook(options.conn_id).spending(options.since, options.until)
    except (SentinelHubError, AirflowNotFoundException) as error:
        print(error, file=sys.stderr)
        return 1
    print(table(rows))
    return 0


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-01-01") from None
