"""Where tiles or features lie, many at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_sentinelhub.client.crs import CRS84, project

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

CHUNK = 5000  # places held at a time


@dataclass(frozen=True)
class Places:
    """Boxes in one CRS: ``bounds`` (n x 4) are minx, miny, maxx, maxy, ``sizes`` (n x 2) pixels.

    Both with buffers.
    """

    crs: str
    bounds: NDArray[Any]
    sizes: NDArray[Any]

    def polygons(self) -> NDArray[Any]:
        """Return their outlines in lon/lat, within 180 degrees."""
        import numpy as np
        import shapely

        from airflow_provider_sentinelhub.client.areas.antimeridian import wrap

        boxes: Any = shapely.box(*self.bounds.T)
        sides = np.column_stack(
            (self.bounds[:, 2] - self.bounds[:, 0], self.bounds[:, 3] - self.bounds[:, 1])
        )
        outlines: Any = project(boxes, self.crs, CRS84, step=float(sides.max()) / 4)
        west, _, east, _ = shapely.bounds(outlines).T
        for index in np.flatnonzero((east - west > 180) | (west < -180) | (east > 180)):
            outlines[index] = wrap(outlines[index], short_way=True)
        found: NDArray[Any] = np.asarray(outlines)
        return found


class Features(Protocol):
    """What will be processed, as far as it is known."""

    notes: list[str]

    def sizes(self) -> Iterable[tuple[int, int, int]]:
        """Return width, height and how many have them; pixels with buffers."""

    def places(self) -> Iterator[Places]:
        """Go through all, at most `CHUNK` at a time."""


def hull(features: Features) -> BaseGeometry:
    """Return an outline in lon/lat that all features lie in, to search for scenes in."""
    import numpy as np
    import shapely

    # Apart by hemisphere, so that what lies on both sides of 180 degrees is not joined around the world.
    hulls: dict[bool, Any] = {}
    for places in features.places():
        parts = shapely.get_parts(places.polygons())
        east = shapely.bounds(parts)[:, 0] >= 0
        for side in (True, False):
            if (east == side).any():
                chosen = np.append(parts[east == side], hulls.get(side, shapely.Polygon()))
                hulls[side] = shapely.convex_hull(shapely.geometrycollections(chosen))
    whole: BaseGeometry = shapely.union_all(list(hulls.values()))
    return whole
