"""Scenes, as the Catalog lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import GarbledReplyError
from airflow_provider_sentinelhub.client.models import number_or_none, read_instant

if TYPE_CHECKING:
    from datetime import datetime

CLOUD_COVER = "eo:cloud_cover"


@dataclass(frozen=True)
class Scene:
    """A scene: ``datetime`` in UTC, ``cloud_cover`` in percent where it is known, ``geometry`` its footprint.

    The geometry is GeoJSON in lon/lat. ``properties`` are those that were asked for.
    """

    id: str
    datetime: datetime
    cloud_cover: float | None
    geometry: Mapping[str, Any] = field(repr=False)
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_wire(cls, item: Any) -> Scene:
        """Read an item; `GarbledReplyError` if it is none."""
        parts = item if isinstance(item, Mapping) else {}
        properties, geometry = parts.get("properties"), parts.get("geometry")
        taken = read_instant(properties.get("datetime")) if isinstance(properties, Mapping) else None
        if (
            not isinstance(properties, Mapping)
            or taken is None
            or not isinstance(geometry, Mapping)
            or not isinstance(parts.get("id"), str)
        ):
            raise GarbledReplyError("The Catalog's answer holds something that is not a scene.")
        cover = number_or_none(properties.get(CLOUD_COVER))
        return cls(parts["id"], taken, cover, geometry, properties)
