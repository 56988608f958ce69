"""Areas, in whatever form an author has them, made into the one that the service takes."""

from __future__ import annotations

from airflow_provider_sentinelhub.client.areas.area import MAX_VERTICES, Area

__all__ = ["MAX_VERTICES", "Area"]
