"""The coordinate reference systems of the service, as the URLs it knows them by.

Coordinates are always x, y: longitude comes before latitude, whatever EPSG says of 4326.
Bringing coordinates from one CRS to another needs the ``geo`` extra (pyproj).
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from typing import TypeVar

    from numpy.typing import NDArray
    from pyproj import Transformer
    from shapely.geometry.base import BaseGeometry

    Geometry = TypeVar("Geometry", bound=BaseGeometry)

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_EPSG = "http://www.opengis.net/def/crs/EPSG/0/"

_CODES = frozenset(
    (
        *(4326, 3857, *range(32601, 32661), *range(32701, 32761)),
        *(2154, 2180, 2193, 3003, 3004, 3005, 3006, 3031, 3035, 3161, 3346, 3413, 3416, 3578, 3580),
        *(3765, 3794, 3844, 3912, 3995, 4026, 5514, 28992, 32184),
    )
)
_EPSG_FORMS = re.compile(
    r"(?:EPSG:|urn:ogc:def:crs:EPSG:[\d.]*:|https?://www\.opengis\.net/def/crs/EPSG/[\d.]+/)?(\d{4,5})", re.I
)
_CRS84_FORMS = re.compile(
    r"(?:OGC:|urn:ogc:def:crs:OGC:[\d.]*:|https?://www\.opengis\.net/def/crs/OGC/[\d.]+/)?CRS84|WGS ?84", re.I
)


def crs_url(value: Any) -> str:
    """Return the service's URL of a CRS.

    ``value`` is an EPSG code, text (``EPSG:32633``, a URN, a URL, ``CRS84``), or a CRS object of pyproj or
    sentinelhub. Raises ValueError, with what is wrong, for any other and for one the service does not take.
    """
    text = _text(value)
    if _CRS84_FORMS.fullmatch(text):
        return CRS84
    match = _EPSG_FORMS.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:80]!r} is not a CRS that can be read")
    if int(match[1]) not in _CODES:
        raise ValueError(f"the service does not take EPSG:{match[1]}")
    return _EPSG + match[1]


def _text(value: Any) -> str:
    if hasattr(value, "to_authority"):  # pyproj
        authority = value.to_authority()
        return ":".join(authority) if authority else str(value)
    return str(getattr(value, "opengis_string", value)).strip()


def epsg(crs: str) -> int:
    """Return the EPSG code of a URL of `crs_url`; that of CRS84 is 4326, x being the longitude here."""
    return 4326 if crs == CRS84 else int(crs.removeprefix(_EPSG))


def is_lon_lat(crs: str) -> bool:
    """Whether coordinates are degrees of longitude and latitude."""
    return epsg(crs) == 4326


def utm_crs(lon: float, lat: float) -> str:
    """Return the CRS of the six-degree UTM zone of a place, Norway's and Svalbard's exceptions left out."""
    zone = min(int((lon + 180) // 6) % 60 + 1, 60)
    return f"{_EPSG}{(32600 if lat >= 0 else 32700) + zone}"


def project(geometry: Geometry, source: str, target: str, *, step: float | None = None) -> Geometry:
    """Bring a geometry from one CRS to another, edges cut to at most ``step`` (unit of the source) before.

    Raises ValueError where a vertex has no place in the target CRS.
    """
    import shapely

    if epsg(source) == epsg(target):
        return geometry
    transformer = _transformer(epsg(source), epsg(target))

    def move(points: NDArray[Any]) -> NDArray[Any]:
        import numpy as np

        # Lists: older pyproj takes a number out of an array of one, which NumPy warns about.
        moved = np.column_stack(transformer.transform(points[:, 0].tolist(), points[:, 1].tolist()))
        if not np.isfinite(moved).all():
            raise ValueError(f"it reaches beyond what EPSG:{epsg(target)} can hold")
        return moved

    dense = geometry if step is None else shapely.segmentize(geometry, step)
    return shapely.transform(dense, move)


def wkt(code: int) -> str:
    """Return the definition of an EPSG code as a GeoPackage holds it."""
    _need_pyproj()
    from pyproj import CRS

    return CRS.from_epsg(code).to_wkt("WKT1_GDAL")


@lru_cache(maxsize=256)
def _transformer(source: int, target: int) -> Transformer:
    _need_pyproj()
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True)


def _need_pyproj() -> None:
    try:
        import pyproj  # noqa: F401
    except ImportError:
        raise DefinitionError(
            [
                Fault(
                    "area",
                    "cannot be brought to another CRS without pyproj",
                    "Install airflow-provider-sentinelhub[geo]",
                )
            ],
            "area",
        ) from None


def metres_per_degree(lat: float) -> tuple[float, float]:
    """Return the length of a degree of longitude and of latitude on the WGS 84 ellipsoid."""
    squeeze = 1 - ECCENTRICITY**2 * math.sin(math.radians(lat)) ** 2
    lon = math.radians(EQUATOR) * math.cos(math.radians(lat)) / math.sqrt(squeeze)
    return lon, math.radians(EQUATOR) * (1 - ECCENTRICITY**2) / squeeze**1.5


EQUATOR = 6_378_137.0  # metres; semi-major axis and first eccentricity of WGS 84
ECCENTRICITY = 0.0818191908426215
