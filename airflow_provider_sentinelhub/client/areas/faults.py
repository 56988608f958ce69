"""The faults of areas."""

from __future__ import annotations

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

FORMS = (
    "Give a polygon as GeoJSON, WKT, a shapely geometry or a file of it, or a box as minx, miny, maxx, maxy"
)


def unreadable(problem: str, remedy: str = FORMS) -> DefinitionError:
    """Return the error about a value that cannot be read."""
    return DefinitionError([Fault("area", problem, remedy)], "area")
