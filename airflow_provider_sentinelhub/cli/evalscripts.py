"""``sentinelhub-airflow evalscript check``: evalscripts tried without Airflow and without an account."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client import evalscript

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sentinelhub.client.errors import Fault

_SOUND, _FAULTY, _UNUSABLE = 0, 1, 2
_CHECK_HELP = """\
Tries evalscripts on this machine and names everything that would fail a batch request: syntax errors, setup()
against the collection's bands and units and against the requested outputs, and evaluatePixel() on a few
made-up pixels, among them those without data and without any scene. Nothing is sent anywhere.
"""
_CHECK_EPILOG = """\
One line for each finding, FILE:LINE:COLUMN: MESSAGE, without line and column where no place is known. What
may be a mistake begins with "warning:" and does not count.

exit code: 0 no faults, 1 faults, 2 a file cannot be read, or QuickJS is missing

examples:
  sentinelhub-airflow evalscript check ndvi.js --collection sentinel-2-l2a --output NDVI
  sentinelhub-airflow evalscript check scripts/*.js --collection sentinel-2-l1c --cog
  sentinelhub-airflow evalscript check fusion.js --collection s1=sentinel-1-grd --collection s2=sentinel-2-l2a
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of a parser."""
    evalscripts = commands.add_parser("evalscript", help="work with evalscripts")
    parser = evalscripts.add_subparsers(required=True, metavar="check").add_parser(
        "check",
        help="name what would fail a batch request",
        description=_CHECK_HELP,
        epilog=_CHECK_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="an evalscript")
    parser.add_argument(
        "--collection",
        action="append",
        default=[],
        dest="collections",
        type=_source,
        metavar="[ID=]TYPE",
        help="collection of the request, such as sentinel-2-l2a; again, with ids, for data fusion. Without "
        "it bands and units are not checked",
    )
    parser.add_argument(
        "--output",
        action="append",
        default=[],
        dest="outputs",
        type=_output,
        metavar="ID[=MIME]",
        help="output that will be requested, and its format (default: all that are declared, as image/tiff)",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--cog", action="store_true", help="cloud-optimised GeoTIFF is wanted")
    kind.add_argument("--zarr", action="store_true", help="Zarr is wanted")
    parser.set_defaults(run=check)


def check(options: argparse.Namespace) -> int:
    """Print what is found in each file; returns the exit code."""
    if not evalscript.can_check():
        return _unusable(
            "QuickJS is missing. Install it with: pip install 'airflow-provider-sentinelhub[evalscript]'"
        )
    code = _SOUND
    for name in options.files:
        try:
            script = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            code = _unusable(f"{name}: cannot be read: {error}")
            continue
        faulty = False
        for faulty, line in _findings(name, script, options):
            print(line)
            if faulty:
                code = max(code, _FAULTY)
    return code


def _findings(name: str, script: str, options: argparse.Namespace) -> Iterator[tuple[bool, str]]:
    mime = "zarr/array" if options.zarr else "image/tiff"
    found = evalscript.check(
        script,
        sources=options.collections,
        responses={output: given or mime for output, given in options.outputs} or None,
        output="zarr" if options.zarr else "raster",
        cog=options.cog,
    )
    for fault in found.faults:
        yield True, _line(name, fault)
    for warning in found.warnings:
        yield False, f"{name}: warning: {warning}"


def _line(name: str, fault: Fault) -> str:
    place = (
        f":{fault.line}:{fault.column}" if isinstance(fault, evalscript.ScriptFault) and fault.line else ""
    )
    subject = "" if fault.field == "evalscript" else f"{fault.field}: "
    return f"{name}{place}: {subject}{fault.problem}. {fault.remedy}"


def _unusable(message: str) -> int:
    print(message, file=sys.stderr)
    return _UNUSABLE


def _source(text: str) -> evalscript.Source:
    identifier, equals, collection = text.rpartition("=")
    if not collection or (equals and not identifier):
        raise argparse.ArgumentTypeError(f"{text!r} is not TYPE or ID=TYPE")
    return evalscript.Source(collection, identifier or None)


def _output(text: str) -> tuple[str, str | None]:
    name, equals, mime = text.partition("=")
    if not name or (equals and "/" not in mime):
        raise argparse.ArgumentTypeError(f"{text!r} is not ID or ID=MIME, such as NDVI=image/tiff")
    return name, mime or None
