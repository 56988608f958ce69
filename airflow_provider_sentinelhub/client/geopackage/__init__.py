"""GeoPackages of the features that the service is to process, in place of the tiles of a grid.

A layer for each CRS with the columns ``id``, ``identifier``, ``geometry``, ``width``, ``height`` and
``resolution``. Needs the ``geo`` extra to write one.
"""

from __future__ import annotations

from airflow_provider_sentinelhub.client.geopackage.building import features_of
from airflow_provider_sentinelhub.client.geopackage.feature import MAX_FEATURES, MAX_PIXELS, Feature
from airflow_provider_sentinelhub.client.geopackage.reading import read_features
from airflow_provider_sentinelhub.client.geopackage.source import FeatureSource
from airflow_provider_sentinelhub.client.geopackage.writing import write_geopackage

__all__ = [
    "MAX_FEATURES",
    "MAX_PIXELS",
    "Feature",
    "FeatureSource",
    "features_of",
    "read_features",
    "write_geopackage",
]
