"""A GeoPackage to be made: of what, and what it will be called."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sentinelhub.client.crs import crs_url
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.geopackage.building import features_of
from airflow_provider_sentinelhub.client.geopackage.writing import write_geopackage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from airflow_provider_sentinelhub.client.geopackage.feature import Feature
    from airflow_provider_sentinelhub.client.opening import Opener

_PATH = "geopackage"
# What features and areas call what an author says, where it is called otherwise.
_SAID = {"area": "features", "tiling_grid_id": "grid_id", "area_crs": "source_crs", "invalid_area": "invalid"}


@dataclass(frozen=True)
class FeatureSource:
    """What a GeoPackage is to be made of; the names mean what they mean to `features_of`.

    ``features`` are its ``source``: polygons as GeoJSON, a FeatureCollection, a file or a URL, and whatever
    else `Area.read` takes. At most 700,000 features, each of at most 3500 pixels a side.
    """

    features: Any = None
    resolution: float | None = None
    identifier: str = "id"
    crs: Any = None
    grid_id: int | None = None
    source_crs: Any = None
    invalid: Literal["refuse", "repair"] = "refuse"

    def write(self, path: Path, opener: Opener | None = None) -> str:
        """Write the GeoPackage, and return a digest that is the same for the same features and no others.

        `DefinitionError` names all that is wrong, in the author's words.
        """
        faults: list[Fault] = []
        resolution, grid_id = self._checked(faults)
        if faults:
            raise DefinitionError(
                [replace(one, field=f"{_PATH}.{one.field}") for one in faults], "GeoPackage"
            )
        digest = hashlib.sha256()
        with _in_the_authors_words():
            features = features_of(
                self.features,
                resolution,
                crs=self.crs,
                grid_id=grid_id,
                identifier=self.identifier,
                source_crs=self.source_crs,
                invalid=self.invalid,
                opener=opener,
            )
            write_geopackage(path, _noted(features, digest))
        return digest.hexdigest()[:32]

    def _checked(self, faults: list[Fault]) -> tuple[float, int | None]:
        """Return resolution and grid as numbers: they may come out of Jinja, as text."""
        resolution, grid_id = 0.0, None
        if self.features is None:
            faults.append(Fault("features", "is missing", "Give polygons, such as a FeatureCollection"))
        with suppress(TypeError, ValueError):
            resolution = float(self.resolution or 0)
        if not 0 < resolution < float("inf"):
            problem = "is missing" if self.resolution is None else f"{self.resolution!r} is not above 0"
            faults.append(Fault("resolution", problem, "Give the size of a pixel in the unit of the CRS"))
        try:
            grid_id = None if self.grid_id is None else int(self.grid_id)
        except (TypeError, ValueError):
            faults.append(Fault("grid_id", f"{self.grid_id!r} is not the id of a grid", "Give one such as 1"))
        if self.invalid not in ("refuse", "repair"):
            faults.append(Fault("invalid", f"{self.invalid!r} is not known", "Choose refuse or repair"))
        try:
            crs_url(4326 if self.crs is None else self.crs)
        except ValueError as error:
            faults.append(Fault("crs", str(error), "Choose another, or leave it out"))
        return resolution, grid_id


def _noted(features: Iterable[Feature], digest: hashlib._Hash) -> Iterator[Feature]:
    """Pass features on. The file itself would not do: it holds the time, and SQLite's version."""
    import shapely

    for feature in features:
        sizes = (feature.width, feature.height, feature.resolution)
        digest.update(repr((feature.identifier, feature.crs, sizes)).encode())
        digest.update(shapely.to_wkb(feature.geometry, byte_order=1, output_dimension=2))
        yield feature


@contextmanager
def _in_the_authors_words() -> Iterator[None]:
    try:
        yield
    except DefinitionError as error:
        faults = [_named(fault) for fault in error.faults]
        raise DefinitionError(faults, "GeoPackage") from error


def _named(fault: Fault) -> Fault:
    if fault.field.startswith("feature"):
        # "feature 3 (north), geometry" says where.
        return replace(fault, field=_PATH if fault.field == "features" else f"{_PATH}, {fault.field}")
    return replace(fault, field=f"{_PATH}.{_SAID.get(fault.field, fault.field)}")
