"""A look at an evalscript before anything is created: the service checks it only in the analysis.

Needs the ``evalscript`` extra (QuickJS). The script's own functions are run, on a handful of pixels and with
limits of time and memory; nothing is asked of the service.
"""

from __future__ import annotations

from airflow_provider_sentinelhub.client.evalscript.engine import can_check
from airflow_provider_sentinelhub.client.evalscript.evaluate import evaluate_pixel
from airflow_provider_sentinelhub.client.evalscript.faults import ScriptFault
from airflow_provider_sentinelhub.client.evalscript.preflight import Findings, check, describe
from airflow_provider_sentinelhub.client.evalscript.setup import Input, Output, Setup
from airflow_provider_sentinelhub.client.evalscript.sources import Source

__all__ = [
    "Findings",
    "Input",
    "Output",
    "ScriptFault",
    "Setup",
    "Source",
    "can_check",
    "check",
    "describe",
    "evaluate_pixel",
]
