"""The collections that the service offers, and what can be asked of each."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.definition.rules import (
    Choice,
    Number,
    Rule,
    Settings,
    choices,
    flag,
    fold,
)
from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_INTERPOLATION = Choice(("NEAREST", "BILINEAR", "BICUBIC"))
_RESAMPLING: dict[str, Rule] = {"upsampling": _INTERPOLATION, "downsampling": _INTERPOLATION}
_ORDERS = ("mostRecent", "leastRecent")
_DIRECTION = Choice(("ASCENDING", "DESCENDING"))
_DEMS = ("MAPZEN", "COPERNICUS_30", "COPERNICUS_90")


def _speckle_filter(value: object, path: str, faults: list[Fault]) -> object:
    window = Number(1, 7, whole=True)
    rules: dict[str, Rule] = {
        "type": Choice(("LEE", "NONE")),
        "windowSizeX": window,
        "windowSizeY": window,
    }
    settled = Settings("speckleFilter", rules, ("type",))(value, path, faults)
    if settled.get("type") == "LEE":
        for name in ("windowSizeX", "windowSizeY"):
            if name not in settled:
                faults.append(
                    Fault(f"{path}.{name}", "is missing", "Give the filter's window, 1 to 7 pixels")
                )
    return settled


@dataclass(frozen=True)
class Collection:
    """What the service lets be said about a collection: its filters and its processing options."""

    type: str
    clouds: bool = False
    dated: bool = True
    needs_dates: bool = True
    filters: Mapping[str, Rule] = field(default_factory=dict)
    processing: Mapping[str, Rule] = field(default_factory=dict)

    @property
    def orders(self) -> tuple[str, ...]:
        """The mosaicking orders."""
        return () if not self.dated else (*_ORDERS, "leastCC") if self.clouds else _ORDERS


def _landsat(name: str, *, real_time: bool) -> Collection:
    tiers = ("TIER_1", "TIER_1_AND_RT", "ALL_TIERS") if real_time else ("TIER_1", "ALL_TIERS")
    return Collection(name, clouds=True, filters={"tiers": Choice(tiers)})


_S2: dict[str, Rule] = {"harmonizeValues": flag}
_KNOWN = (
    Collection("sentinel-2-l1c", clouds=True, processing=_S2),
    Collection("sentinel-2-l2a", clouds=True, processing=_S2),
    Collection(
        "sentinel-1-grd",
        filters={
            "resolution": Choice(("HIGH", "MEDIUM", "FULL")),
            "acquisitionMode": Choice(("SM", "IW", "EW", "WV", "EN", "AN", "IM")),
            "polarization": Choice(
                ("SH", "SV", "DH", "DV", "HH", "HV", "VV", "VH"), "; DV is VV with VH, DH is HH with HV"
            ),
            "orbitDirection": _DIRECTION,
            "timeliness": Choice(
                ("NRT10m", "NRT1h", "NRT3h", "Fast24h", "Offline", "Reprocessing", "ArchNormal")
            ),
        },
        processing={
            "backCoeff": Choice(("BETA0", "SIGMA0_ELLIPSOID", "GAMMA0_ELLIPSOID", "GAMMA0_TERRAIN")),
            "orthorectify": flag,
            "demInstance": Choice((*_DEMS, "COPERNICUS")),
            "speckleFilter": _speckle_filter,
            "radiometricTerrainOversampling": Number(1, 4),
        },
    ),
    _landsat("landsat-8-l1c", real_time=True),
    _landsat("landsat-ot-l1", real_time=True),
    _landsat("landsat-ot-l2", real_time=False),
    _landsat("landsat-etm-l1", real_time=True),
    _landsat("landsat-etm-l2", real_time=False),
    _landsat("landsat-tm-l1", real_time=False),
    _landsat("landsat-tm-l2", real_time=False),
    _landsat("landsat-mss-l1", real_time=False),
    Collection("modis"),
    Collection(
        "dem",
        dated=False,
        needs_dates=False,
        filters={"demInstance": Choice(_DEMS)},
        processing={"clampNegative": flag, "egm": flag},
    ),
    Collection("hls", clouds=True, filters={"constellation": Choice(("SENTINEL", "LANDSAT"))}),
    # Copernicus Data Space only.
    Collection("sentinel-3-olci"),
    Collection("sentinel-3-olci-l2", clouds=True),
    Collection(
        "sentinel-3-slstr",
        clouds=True,
        filters={"orbitDirection": _DIRECTION},
        processing={"view": Choice(("NADIR", "OBLIQUE"))},
    ),
    Collection(
        "sentinel-5p-l2",
        filters={"timeliness": Choice(("NRTI", "OFFL", "RPRO"))},
        processing={"minQa": Number(0, 100, whole=True)},
    ),
)
COLLECTIONS = {one.type: one for one in _KNOWN}
_ALIASES = {
    **{fold(name): name for name in COLLECTIONS},
    **{"s2l1c": "sentinel-2-l1c", "s2l2a": "sentinel-2-l2a"},
    **dict.fromkeys(("s1", "s1grd", "sentinel1"), "sentinel-1-grd"),
    **{f"landsat{n}l{level}": f"landsat-ot-l{level}" for n in "89" for level in "12"},
    **{f"landsat7l{level}": f"landsat-etm-l{level}" for level in "12"},
    **{f"landsat{n}l{level}": f"landsat-tm-l{level}" for n in ("5", "45") for level in "12"},
    "harmonizedlandsatsentinel": "hls",
    "s3olci": "sentinel-3-olci",
    "s3slstr": "sentinel-3-slstr",
    **dict.fromkeys(("s5p", "sentinel5p"), "sentinel-5p-l2"),
}


def resolve(name: object, path: str, faults: list[Fault]) -> Collection | None:
    """Find a collection by its type, a usual name of it, or the id of one's own; None if there is none."""
    remedy = "Name one, such as sentinel-2-l2a, or byoc-<id> for one of your own"
    if not isinstance(name, str) or not name.strip():
        faults.append(Fault(path, "is missing", remedy))
        return None
    name = name.strip()
    prefix, _, own_id = name.partition("-")
    if prefix.lower() in ("byoc", "batch", "zarr"):
        if not own_id:
            faults.append(Fault(path, f"{name!r} lacks the collection's id", f"Write {prefix}-<id>"))
        return Collection(f"{prefix.lower()}-{own_id}", needs_dates=False)
    if _UUID.fullmatch(name):
        return Collection(f"byoc-{name}", needs_dates=False)
    known = _ALIASES.get(fold(name))
    if known is None:
        faults.append(
            Fault(path, f"there is no collection {name!r}", choices(name, (*COLLECTIONS, "byoc-<id>")))
        )
        return None
    return COLLECTIONS[known]


def filters_of(collection: Collection) -> Settings:
    """Return the rule of a collection's ``data_filter``."""
    return Settings(f"the filter of {collection.type}", collection.filters)


def processing_of(collection: Collection) -> Settings:
    """Return the rule of a collection's ``processing``."""
    return Settings(f"the processing of {collection.type}", {**_RESAMPLING, **collection.processing})
