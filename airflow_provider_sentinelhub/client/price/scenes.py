"""Data samples per pixel, counted from the scenes that the Catalog knows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from airflow_provider_sentinelhub.client.price.places import Places
    from airflow_provider_sentinelhub.client.price.plan import Source

_WHOLE = 1 - 1e-6
_NOTHING = 1e-9


class Scene(Protocol):
    """A scene of the Catalog: ``geometry`` is where it has data, GeoJSON or shapely in lon/lat.

    ``cloud_cover`` is a percentage, None where the collection has none; ``datetime`` is in UTC if it has no
    zone.
    """

    @property
    def datetime(self) -> datetime:
        """When it was taken."""

    @property
    def geometry(self) -> Any:
        """Where it has data."""

    @property
    def cloud_cover(self) -> float | None:
        """The percentage that is under clouds."""


# Called with a source, whose dates are known, and an area in lon/lat. It may return more than are meant.
FindScenes = Callable[["Source", "BaseGeometry"], Iterable[Scene]]


class SceneDepths:
    """The samples of one source, by its scenes."""

    def __init__(self, source: Source, scenes: Iterable[Scene]) -> None:
        import shapely

        self._simple = source.mosaicking == "SIMPLE"
        meant = [scene for scene in scenes if _is_meant(scene, source)]
        self.count = len(meant)
        self._groups = _groups(source, meant)
        for group in self._groups:
            shapely.prepare(group)

    def of(self, places: Places) -> NDArray[Any]:
        """Return low, likely and high (3 x n): fewest samples over a place, their mean, most.

        Where there is no scene, the place costs nothing, since it has no data (assumed), or one sample.
        """
        import numpy as np
        import shapely

        outlines = places.polygons()
        whole = shapely.area(outlines)
        tree = shapely.STRtree(outlines)
        depths = np.zeros((3, len(outlines)))
        for group in self._groups:
            touched = tree.query(group, predicate="intersects")
            share = np.ones(len(touched))
            cut = ~shapely.contains_properly(group, outlines[touched])
            parts = outlines[touched[cut]]
            share[cut] = shapely.area(shapely.intersection(group, parts)) / whole[touched[cut]]
            depths[0, touched] += share >= _WHOLE
            depths[1, touched] += share
            depths[2, touched] += share > _NOTHING
        if self._simple:
            depths[:2] = depths[1] > _NOTHING
        depths[2] = np.maximum(1, depths[2])
        return depths


def _is_meant(scene: Scene, source: Source) -> bool:
    moment = _moment(scene)
    in_time = (not source.start or moment >= source.start) and (not source.end or moment <= source.end)
    return in_time and (scene.cloud_cover is None or scene.cloud_cover <= source.max_cloud_coverage)


def _moment(scene: Scene) -> datetime:
    moment = scene.datetime
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _groups(source: Source, scenes: Iterable[Scene]) -> list[BaseGeometry]:
    """Return what each sample covers: one scene (TILE), all of a UTC day (ORBIT), all (SIMPLE)."""
    import shapely

    found: dict[Any, list[BaseGeometry]] = defaultdict(list)
    for number, scene in enumerate(scenes):
        key = {"SIMPLE": None, "ORBIT": _moment(scene).date()}.get(source.mosaicking, number)
        found[key].append(_shape(scene.geometry))
    return [shapely.union_all(group) for group in found.values()]


def _shape(geometry: Any) -> BaseGeometry:
    from shapely.geometry import shape

    outline: BaseGeometry = shape(dict(geometry)) if isinstance(geometry, Mapping) else geometry
    # Footprints of swaths cross themselves now and then.
    return outline if outline.is_valid else outline.buffer(0)
