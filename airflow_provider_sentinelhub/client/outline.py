"""What a batch request would compute, as far as it can be known before anything is created."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.crs import CRS84, crs_url, epsg, project
from airflow_provider_sentinelhub.client.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_sentinelhub.client.areas import Area
    from airflow_provider_sentinelhub.client.models import TilingGrid

_NAMED = 10  # tiles, features and warnings that are told one by one
_PAIR = re.compile(r"\[\s+(-?[\d.e+-]+),\s+(-?[\d.e+-]+)\s+\]")


@dataclass(frozen=True)
class Pieces:
    """The tiles or features that would be rendered, each to a file for each output.

    ``crs`` are the numbers of them by CRS, ``names`` the first ten names, ``pixels`` those of all of them,
    buffers included (None if that is not known).
    """

    count: int
    crs: Mapping[str, int]
    names: Sequence[str]
    pixels: int | None

    @classmethod
    def of(cls, pieces: Iterable[tuple[str, str, int | None]]) -> Pieces:
        """Count pieces, each a name, the URL of a CRS, and pixels."""
        crs: Counter[str] = Counter()
        names: list[str] = []
        pixels: int | None = 0
        for name, url, size in pieces:
            crs[f"EPSG:{epsg(url)}"] += 1
            names += [name] if len(names) < _NAMED else []
            pixels = None if pixels is None or size is None else pixels + size
        return cls(sum(crs.values()), dict(crs), names, pixels)

    def __str__(self) -> str:
        if not self.count:
            return "none"
        crs = ", ".join(f"{count} in {name}" for name, count in self.crs.items())
        more = ", …" if self.count > len(self.names) else ""
        size = "" if self.pixels is None else f"; {self.pixels:,} pixels for each output and band"
        return f"{self.count} ({crs}): {', '.join(self.names)}{more}{size}"


@dataclass(frozen=True)
class Outline:
    """The wire form without keys, the tiles or features (None: not known), and what to be aware of."""

    payload: Mapping[str, Any]
    tiles: Pieces | None
    features: Pieces | None
    warnings: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it: ``payload``, ``tiles``, ``features``, ``pixels``, ``warnings``."""
        pieces = self.tiles or self.features
        return {
            "payload": dict(self.payload),
            "tiles": _plain(self.tiles),
            "features": _plain(self.features),
            "pixels": pieces.pixels if pieces else None,
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        process = {**self.payload["processRequest"]}
        lines = len(process.pop("evalscript").splitlines())
        payload = {"processRequest": {**process, "evalscript": f"({lines} lines)"}}
        shown = _PAIR.sub(r"[\1, \2]", json.dumps({**self.payload, **payload}, indent=2))
        known = [("Tiles", self.tiles), ("Features", self.features)]
        return "\n".join(
            (
                *(f"{what}: {pieces}" for what, pieces in known if pieces is not None),
                *(f"Mind: {warning}" for warning in self.warnings),
                f"Request, without keys: {shown}",
            )
        )


def tiles_in(wire: Mapping[str, Any], grids: Sequence[TilingGrid], warnings: list[str]) -> Pieces | None:
    """Work out the tiles of a request on a grid; None, and a warning, if they are not known offline."""
    from airflow_provider_sentinelhub.client.grids import caveat, tiles_of

    wanted = wire["input"]
    grid = next((one for one in grids if one.id == wanted["id"]), None)
    try:
        found = tiles_of(_area(wire), wanted["id"])
        assumed = caveat(wanted["id"])
    except DefinitionError as error:
        warnings.append(f"The tiles are not known before the analysis ({error.faults[0]}).")
        return None
    if assumed:
        warnings.append(f"The tiles are worked out here, not asked for. {assumed}")
    if not found:
        warnings.append(f"Grid {wanted['id']} has no tile that touches the area.")
    size = None
    if grid is not None and grid.tile_width and grid.tile_height:
        sides = (grid.tile_width, wanted.get("bufferX", 0)), (grid.tile_height, wanted.get("bufferY", 0))
        width, height = (round(side / wanted["resolution"]) + 2 * buffer for side, buffer in sides)
        size = width * height
    return Pieces.of((tile.name, tile.crs, size) for tile in found)


def features_in(wire: Mapping[str, Any], path: Path, warnings: list[str]) -> Pieces:
    """Read the features of a request's GeoPackage, those in its area if it has one.

    `DefinitionError` if the file is not a GeoPackage of features. What is wrong with single features becomes
    a warning: the analysis is what refuses them.
    """
    from airflow_provider_sentinelhub.client.geopackage import Feature, read_features

    bounds = wire["processRequest"]["input"].get("bounds")
    area = _area(wire).in_lon_lat().geometry if bounds else None
    defaults = wire["input"].get("defaults", {})
    wrong: list[str] = []

    def pieces() -> Iterable[tuple[str, str, int | None]]:
        for feature in read_features(path):
            sized = (
                feature
                if feature.sized
                else Feature(feature.identifier, feature.geometry, feature.crs, **defaults)
            )
            faults = [f"Feature {feature.identifier}, {fault}" for fault in sized.faults()]
            if faults:
                wrong.extend(faults)
                continue
            url = crs_url(feature.crs)
            if area is None or project(sized.geometry, url, CRS84).intersects(area):
                width, height = sized.pixels or (0, 0)
                yield feature.identifier, url, width * height

    found = Pieces.of(pieces())
    warnings += wrong[:_NAMED]
    if len(wrong) > _NAMED:
        warnings.append(f"There are {len(wrong) - _NAMED} more faults of features.")
    return found


def _area(wire: Mapping[str, Any]) -> Area:
    from airflow_provider_sentinelhub.client.areas import Area

    return Area.read(wire["processRequest"]["input"]["bounds"])


def _plain(pieces: Pieces | None) -> dict[str, Any] | None:
    if pieces is None:
        return None
    return {
        "count": pieces.count,
        "crs": dict(pieces.crs),
        "names": list(pieces.names),
        "pixels": pieces.pixels,
    }
