"""The Catalog API: STAC 1.0 over the scenes that requests are rendered from."""

from __future__ import annotations

from airflow_provider_sentinelhub.sandbox.catalog.api import CatalogApi

__all__ = ["CatalogApi"]
