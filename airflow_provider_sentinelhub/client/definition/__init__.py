"""One batch request, in the author's words: `BatchDefinition` and its parts."""

from __future__ import annotations

from airflow_provider_sentinelhub.client.definition.batch import BatchDefinition
from airflow_provider_sentinelhub.client.definition.delivery import Delivery
from airflow_provider_sentinelhub.client.definition.sources import Source
from airflow_provider_sentinelhub.client.definition.storage import BucketKeys, GoogleKey, OtherDelivery
from airflow_provider_sentinelhub.client.definition.tiling import GeoPackage
from airflow_provider_sentinelhub.client.definition.zarr import Zarr

__all__ = [
    "BatchDefinition",
    "BucketKeys",
    "Delivery",
    "GeoPackage",
    "GoogleKey",
    "OtherDelivery",
    "Source",
    "Zarr",
]
