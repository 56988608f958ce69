"""Data samples per pixel where no scenes are known: from how often satellites come by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.client.price.places import Places
    from airflow_provider_sentinelhub.client.price.plan import Source

_GRANULES_OVERLAP = 1.2  # Sentinel-2's tiles of 109.8 km lie on squares of 100 km
_LEAST_COSINE = 0.2  # beyond 78 degrees swaths do not draw closer any more, or there is no light


class Revisit(NamedTuple):
    """Days between two looks at a place on the equator, and who says so.

    Swaths overlap the more, the nearer they are to a pole; ``everywhere`` says that the days hold there too.
    """

    days: float
    source: str
    everywhere: bool = False


_REVISITS = {
    "sentinel-2": Revisit(5, "ESA: two satellites, 5 days at the equator, 2 to 3 at mid-latitudes"),
    "sentinel-1": Revisit(
        6, "ESA: two satellites repeat in 6 days, ascending and descending; coverage differs by region"
    ),
    "landsat-8": Revisit(16, "USGS: one satellite, 16 days"),
    "landsat-ot": Revisit(8, "USGS: Landsat 8 and 9 together, 8 days"),
    "landsat-etm": Revisit(16, "USGS: one satellite, 16 days"),
    "landsat-tm": Revisit(16, "USGS: one satellite, 16 days"),
    "landsat-mss": Revisit(18, "USGS: one satellite, 18 days"),
    "hls": Revisit(3, "NASA: 2 to 3 days"),
    "modis": Revisit(1, "NASA: daily"),
    "sentinel-3-olci": Revisit(2, "ESA: two satellites, less than 2 days at the equator"),
    "sentinel-3-slstr": Revisit(1, "ESA: two satellites, less than a day at the equator"),
    "sentinel-5p": Revisit(1, "ESA: daily"),
}
# What the first version of the service's Batch API assumed in its own estimates, of any collection.
_OTHERS = Revisit(3, "what the service's first Batch API assumed of any collection", everywhere=True)


class RevisitDepths:
    """The samples of one source, by its time range and the latitude of each place."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._once = source.mosaicking == "SIMPLE" or source.collection == "dem"
        self.revisit = next(
            (r for name, r in _REVISITS.items() if source.collection.startswith(name)), _OTHERS
        )

    @property
    def same_everywhere(self) -> bool:
        """Whether it is one sample, wherever a place is."""
        return self._once

    def assumption(self) -> str:
        """Return in words what is assumed."""
        source = self._source
        if self._once:
            return f"Every tile has data of {source.collection}, one sample per pixel."
        days, said = f"every {self.revisit.days:g} days", self.revisit.source
        where = (
            f" ({said})" if self.revisit.everywhere else f" at the equator ({said}), more often to the poles"
        )
        text = f"Scenes were not looked up: {source.collection} is taken to come by {days}{where}."
        if source.max_cloud_coverage < 100:
            text += (
                f" Of its scenes {source.max_cloud_coverage:g} % are taken to have at most that cloud cover; "
                "at worst none (low) or all (high)."
            )
        return text

    def of(self, places: Places) -> NDArray[Any]:
        """Return low, likely and high (3 x n): once in each revisit time, the mean, twice the mean."""
        import numpy as np
        import shapely

        source = self._source
        depths = np.ones((3, len(places.bounds)))
        if self._once or source.start is None or source.end is None:
            return depths
        latitudes = shapely.get_y(shapely.centroid(places.polygons()))
        days = (source.end - source.start).total_seconds() / 86_400
        cosine = np.maximum(np.cos(np.radians(latitudes)), _LEAST_COSINE)
        mean = np.full(cosine.shape, days / self.revisit.days)
        if not self.revisit.everywhere:
            mean = mean / cosine
        if source.mosaicking == "TILE" and source.collection.startswith("sentinel-2"):
            mean = mean * _GRANULES_OVERLAP
        clear = source.max_cloud_coverage / 100
        depths[0] = np.floor(days / self.revisit.days) if clear == 1 else 0
        depths[1] = mean * clear
        depths[2] = np.ceil(2 * mean)
        depths[0] = np.minimum(depths[0], depths[1])
        return depths
