"""Which bands each collection offers and in which units.

From the data pages of the Sentinel Hub documentation; the first unit of a band is its default. ``name`` is
what the service calls the collection in its messages: ``S2L1C`` and ``S1GRD`` were seen in the wild, the
others are the collection types that the service used before.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Collection:
    """One entry of ``processRequest.input.data[].type``."""

    type: str
    name: str
    units: dict[str, tuple[str, ...]]  # band -> its units, default first


def _bands(names: str, *units: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(names.split(), units)


_S2_OPTICAL = "B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B11 B12"
_S2_ANGLES = "sunAzimuthAngles sunZenithAngles viewAzimuthMean viewZenithMean"
_LANDSAT_ANGLES = "VAA VZA SAA SZA"

_ALL = (
    Collection(
        "sentinel-2-l1c",
        "S2L1C",
        _bands(_S2_OPTICAL + " B10", "REFLECTANCE", "DN")
        | _bands(_S2_ANGLES, "DEGREES")
        | _bands("CLM CLP dataMask", "DN"),
    ),
    Collection(
        "sentinel-2-l2a",
        "S2L2A",
        _bands(_S2_OPTICAL, "REFLECTANCE", "DN")
        | _bands("AOT", "OPTICAL_DEPTH", "DN")
        | _bands(_S2_ANGLES, "DEGREES")
        | _bands("SNW CLD", "PERCENT")
        | _bands("SCL CLM CLP dataMask", "DN"),
    ),
    Collection(
        "sentinel-1-grd",
        "S1GRD",
        _bands("VV VH HH HV", "LINEAR_POWER")
        | _bands("localIncidenceAngle scatteringArea shadowMask dataMask", "DN"),
    ),
    Collection(
        "sentinel-3-olci",
        "S3OLCI",
        _bands(" ".join(f"B{n:02}" for n in range(1, 22)), "REFLECTANCE")
        | _bands(_LANDSAT_ANGLES, "DEGREES")
        | _bands("HUMIDITY", "PERCENT")
        | _bands("SEA_LEVEL_PRESSURE", "HECTOPASCALS")
        | _bands("TOTAL_COLUMN_OZONE TOTAL_COLUMN_WATER_VAPOUR", "KG_M2")
        | _bands("QUALITY_FLAGS dataMask", "DN"),
    ),
    Collection(
        "sentinel-3-slstr",
        "S3SLSTR",
        _bands("S1 S2 S3 S4 S5 S6", "REFLECTANCE")
        | _bands("S7 S8 S9 F1 F2", "BRIGHTNESS_TEMPERATURE")
        | _bands("dataMask", "DN"),
    ),
    Collection(
        "sentinel-5p-l2",
        "S5PL2",
        _bands("CO HCHO NO2 O3 SO2 dataMask", "DN")
        | _bands("CH4", "PPB")
        | _bands("AER_AI_340_380 AER_AI_354_388", "INDEX")
        | _bands("CLOUD_BASE_PRESSURE CLOUD_TOP_PRESSURE", "PASCALS")
        | _bands("CLOUD_BASE_HEIGHT CLOUD_TOP_HEIGHT", "METERS")
        | _bands("CLOUD_OPTICAL_THICKNESS", "OPTICAL_DEPTH")
        | _bands("CLOUD_FRACTION", "FRACTION"),
    ),
    Collection(
        "landsat-ot-l1",
        "LOTL1",
        _bands("B01 B02 B03 B04 B05 B06 B07 B08 B09", "REFLECTANCE")
        | _bands("B10 B11", "BRIGHTNESS_TEMPERATURE")
        | _bands(_LANDSAT_ANGLES, "DEGREES")
        | _bands("BQA QA_RADSAT dataMask", "DN"),
    ),
    Collection(
        "landsat-ot-l2",
        "LOTL2",
        _bands("B01 B02 B03 B04 B05 B06 B07", "REFLECTANCE")
        | _bands("B10", "SURFACE_TEMPERATURE")
        | _bands("ST_TRAD ST_URAD ST_DRAD", "RADIANCE")
        | _bands("ST_ATRAN ST_EMIS ST_EMSD", "FRACTION")
        | _bands("ST_CDIST", "KILOMETERS")
        | _bands("ST_QA", "KELVIN")
        | _bands("BQA QA_RADSAT SR_QA_AEROSOL dataMask", "DN"),
    ),
    Collection(
        "modis", "MODIS", _bands("B01 B02 B03 B04 B05 B06 B07", "REFLECTANCE") | _bands("dataMask", "DN")
    ),
    Collection("dem", "DEM", _bands("DEM", "METERS") | _bands("dataMask", "DN")),
)

#: By type. A collection that is missing here (BYOC, batch, …) has bands nobody can know beforehand.
COLLECTIONS = {collection.type: collection for collection in _ALL}
