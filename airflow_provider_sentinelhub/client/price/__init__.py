"""What a batch request costs, told before it is paid: the service itself only says what was spent.

`price_definition` prices a request before it is created, `price_request` by what its analysis found. The
answer is an `Estimate`: low, likely and high, with its terms and what is assumed. Needs the ``geo`` extra,
and ``evalscript`` unless what the script declares is given.
"""

from __future__ import annotations

from airflow_provider_sentinelhub.client.price.estimate import Estimate, Level, Range, Tiles
from airflow_provider_sentinelhub.client.price.estimating import price_definition, price_request
from airflow_provider_sentinelhub.client.price.formula import ASYNC, BATCH, PROCESS, Api, Terms
from airflow_provider_sentinelhub.client.price.plan import Source
from airflow_provider_sentinelhub.client.price.scenes import FindScenes, Scene
from airflow_provider_sentinelhub.client.price.script import read_script

__all__ = [
    "ASYNC",
    "BATCH",
    "PROCESS",
    "Api",
    "Estimate",
    "FindScenes",
    "Level",
    "Range",
    "Scene",
    "Source",
    "Terms",
    "Tiles",
    "price_definition",
    "price_request",
    "read_script",
]
