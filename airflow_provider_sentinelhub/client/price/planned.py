"""What a request will process, before the service has looked at it: tiles of a grid, features of a file."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.areas import Area
from airflow_provider_sentinelhub.client.crs import CRS84, crs_url, project
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.price.places import CHUNK, Places

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from airflow_provider_sentinelhub.client.geopackage import Feature
    from airflow_provider_sentinelhub.client.grids import GridTile
    from airflow_provider_sentinelhub.client.price.plan import Plan


def area_of(plan: Plan) -> Area | None:
    """Return the area of a request; None if it has none."""
    return None if plan.bounds is None else Area.read(dict(plan.bounds), max_vertices=2**31)


class GridTiles:
    """The tiles of a tiling grid that a request's area touches."""

    def __init__(self, plan: Plan) -> None:
        from airflow_provider_sentinelhub.client.grids import caveat, tiles_of

        area = area_of(plan)
        if area is None or plan.grid is None or plan.resolution is None:
            raise _fault("area", "there is none", "A tiling grid needs one")
        self._tiles = tiles_of(area, plan.grid, plan.resolution)
        if not self._tiles:
            raise _fault("area", f"grid {plan.grid} does not reach it", "Choose another grid")
        self._buffer, self._resolution = plan.buffer, plan.resolution
        self.notes = [
            "Tiles are those that the area touches, an edge being enough; the analysis knows for sure.",
        ]
        if caveat(plan.grid):
            self.notes.append(caveat(plan.grid))

    def _size(self, tile: GridTile) -> tuple[int, int]:
        return (tile.width or 0) + 2 * self._buffer[0], (tile.height or 0) + 2 * self._buffer[1]

    def sizes(self) -> Iterator[tuple[int, int, int]]:
        """Return width, height and how many have them; pixels with buffers."""
        for size, count in Counter(map(self._size, self._tiles)).items():
            yield (*size, count)

    def places(self) -> Iterator[Places]:
        """Go through all tiles, by CRS."""
        import numpy as np

        x, y = (pixels * self._resolution for pixels in self._buffer)
        for crs in sorted({tile.crs for tile in self._tiles}):
            tiles = [tile for tile in self._tiles if tile.crs == crs]
            bounds = np.array([tile.bounds for tile in tiles]) + np.array((-x, -y, x, y))
            yield Places(crs, bounds, np.array([self._size(tile) for tile in tiles]))


class FileFeatures:
    """The features of a GeoPackage on this machine, those that touch the request's area if it has one."""

    def __init__(self, path: str | os.PathLike[str], plan: Plan) -> None:
        self._path, self._defaults = path, plan.defaults
        self._area = area_of(plan)
        self._areas: dict[str, Any] = {}
        self.notes = [
            "Sides that a resolution does not divide evenly are rounded up to whole pixels (assumed)."
        ]

    def _features(self) -> Iterator[tuple[Feature, tuple[int, int]]]:
        from airflow_provider_sentinelhub.client.geopackage import read_features

        empty = True
        for feature in read_features(self._path):
            empty = False
            if self._wanted(feature):
                yield feature, self._size(feature)
        if empty:
            raise _fault("geopackage", "has no features", "Give a file with at least one")

    def _wanted(self, feature: Feature) -> bool:
        if self._area is None:
            return True
        import shapely

        if feature.crs not in self._areas:
            outline = project(self._area.in_lon_lat().geometry, CRS84, crs_url(feature.crs), step=0.1)
            shapely.prepare(outline)
            self._areas[feature.crs] = outline
        return bool(shapely.intersects(self._areas[feature.crs], feature.geometry))

    def _size(self, feature: Feature) -> tuple[int, int]:
        own, given = feature, self._defaults
        # Pixels win over a resolution, and a feature's own words over the defaults.
        width, height, resolution = own.width, own.height, own.resolution
        if None in (width, height) and resolution is None:
            width, height, resolution = (given.get(name) for name in ("width", "height", "resolution"))
        if width is not None and height is not None:
            return width, height
        if not resolution or not resolution > 0:
            problem = f"feature {own.identifier} has neither width and height nor a resolution"
            raise _fault("geopackage", problem, "Give it one, or defaults")
        west, south, east, north = own.geometry.bounds
        columns, rows = (math.ceil(round(side / resolution, 6)) for side in (east - west, north - south))
        return max(1, columns), max(1, rows)

    def sizes(self) -> Iterator[tuple[int, int, int]]:
        """Return width, height and how many have them."""
        for _, size in self._features():
            yield (*size, 1)

    def places(self) -> Iterator[Places]:
        """Go through all features, at most `CHUNK` of one CRS at a time."""
        held: dict[str, list[tuple[Any, tuple[int, int]]]] = {}
        for feature, size in self._features():
            held.setdefault(feature.crs, []).append((feature.geometry.bounds, size))
            if len(held[feature.crs]) == CHUNK:
                yield _places(feature.crs, held.pop(feature.crs))
        for crs, rows in held.items():
            yield _places(crs, rows)


def _places(crs: str, rows: list[tuple[Any, tuple[int, int]]]) -> Places:
    import numpy as np

    return Places(crs_url(crs), np.array([row[0] for row in rows]), np.array([row[1] for row in rows]))


def _fault(field: str, problem: str, remedy: str) -> DefinitionError:
    return DefinitionError([Fault(field, problem, remedy)], "price")
