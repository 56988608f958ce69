"""GeoPackage's binary geometry, as far as its box is wanted."""

from __future__ import annotations

import struct

from airflow_provider_sentinelhub.client.errors import UnreadableDeliveryError

Bounds = tuple[float, float, float, float]

_ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}


def bounds_of(blob: bytes) -> Bounds:
    """Return minx, miny, maxx, maxy of a GeoPackage geometry (OGC 12-128r18, clause 2.1.3)."""
    kind = _kind(blob)
    if kind:
        order = "<" if blob[3] & 1 else ">"
        west, east, south, north = struct.unpack_from(f"{order}4d", blob, 8)
        return west, south, east, north
    from shapely import from_wkb

    west, south, east, north = from_wkb(wkb_of(blob)).bounds
    return west, south, east, north


def wkb_of(blob: bytes) -> bytes:
    """Return the WKB within a GeoPackage geometry."""
    return blob[8 + _ENVELOPE_BYTES[_kind(blob)] :]


def _kind(blob: bytes) -> int:
    """Return which envelope the geometry has (0 is none)."""
    kind = blob[3] >> 1 & 7 if isinstance(blob, bytes) and len(blob) >= 8 and blob[:2] == b"GP" else -1
    if kind not in _ENVELOPE_BYTES or len(blob) <= 8 + _ENVELOPE_BYTES[kind]:
        raise UnreadableDeliveryError("The feature manifest holds a geometry that is not GeoPackage's.")
    return kind
