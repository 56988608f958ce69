"""The Catalog: which scenes there are, before anything is paid for."""

from __future__ import annotations

from airflow_provider_sentinelhub.client.catalog.api import CatalogClient
from airflow_provider_sentinelhub.client.catalog.query import SceneQuery
from airflow_provider_sentinelhub.client.catalog.scenes import Scene
from airflow_provider_sentinelhub.client.catalog.wanted import Found, WantedScenes

__all__ = ["CatalogClient", "Found", "Scene", "SceneQuery", "WantedScenes"]
