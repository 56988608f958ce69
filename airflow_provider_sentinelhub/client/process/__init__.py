"""The Process API: an image of an area, rendered while one waits; a preview of what a batch delivers."""

from __future__ import annotations

from airflow_provider_sentinelhub.client.process.api import ProcessClient
from airflow_provider_sentinelhub.client.process.definition import ProcessDefinition
from airflow_provider_sentinelhub.client.process.images import Images
from airflow_provider_sentinelhub.client.process.size import MAX_PIXELS, bbox_to_dimensions

__all__ = ["MAX_PIXELS", "Images", "ProcessClient", "ProcessDefinition", "bbox_to_dimensions"]
