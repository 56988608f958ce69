"""The command ``sentinelhub-airflow``.

Its name is not ``sentinelhub`` because the vendor's Python package installs a command of that name.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.cli import evalscripts, spending

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="sentinelhub-airflow",
        description="Checks what Sentinel Hub batch requests are made of, and sums up what they have cost.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    evalscripts.add_to(commands)
    spending.add_to(commands)
    options = parser.parse_args(arguments)
    code: int = options.run(options)
    return code
