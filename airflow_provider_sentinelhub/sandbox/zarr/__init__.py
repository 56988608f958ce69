"""Zarr output: one group of version 2, an array for each output, written chunk by chunk."""

from __future__ import annotations

from airflow_provider_sentinelhub.sandbox.zarr.chunks import ZarrTile
from airflow_provider_sentinelhub.sandbox.zarr.group import ZarrGroup
from airflow_provider_sentinelhub.sandbox.zarr.layout import ZarrArray, ZarrOutput, in_the_way

__all__ = ["ZarrArray", "ZarrGroup", "ZarrOutput", "ZarrTile", "in_the_way"]
