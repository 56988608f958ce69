"""Evalscripts V3, run for real: QuickJS executes the script, this package is what the service puts around it.

Checking a script needs ``quickjs-ng`` alone; evaluating pixels needs numpy as well.
"""

from __future__ import annotations

from airflow_provider_sentinelhub.sandbox.evalscript.engine import Evalscript
from airflow_provider_sentinelhub.sandbox.evalscript.sources import Source, Stack, sources
from airflow_provider_sentinelhub.sandbox.evalscript.spec import (
    EvalscriptError,
    InputSpec,
    OutputSpec,
    SceneInfo,
    Setup,
    TileInfo,
)

__all__ = [
    "Evalscript",
    "EvalscriptError",
    "InputSpec",
    "OutputSpec",
    "SceneInfo",
    "Setup",
    "Source",
    "Stack",
    "TileInfo",
    "sources",
]
