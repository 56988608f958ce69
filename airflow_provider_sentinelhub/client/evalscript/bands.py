"""Which bands each collection offers, and in which units; the first of a band's units is its default.

The table holds what the vendor's Python package knows, and ``tests/client/evalscript/band_table.py`` makes
it. Own collections (BYOC, batch, Zarr) and those that are not in it have bands that nobody can know.
"""

from __future__ import annotations

from functools import cache

TABLE = """\
dem:
  METERS = DEM
  DN = dataMask
hls:
  REFLECTANCE/DN = CoastalAerosol Blue Green Red RedEdge1 RedEdge2 RedEdge3 NIR_Broad NIR_Narrow SWIR1
    SWIR2 WaterVapor Cirrus
  BRIGHTNESS_TEMPERATURE/DN = ThermalInfrared1 ThermalInfrared2
  DN = QA dataMask
  DEGREES/DN = VAA VZA SAA SZA
landsat-etm-l1:
  REFLECTANCE = B01 B02 B03 B04 B05 B07 B08
  BRIGHTNESS_TEMPERATURE = B06_VCID_1 B06_VCID_2
  DN = BQA QA_RADSAT dataMask
  DEGREES = VAA VZA SAA SZA
landsat-etm-l2:
  REFLECTANCE = B01 B02 B03 B04 B05 B07
  SURFACE_TEMPERATURE = B06
  DN = BQA QA_RADSAT SR_CLOUD_QA dataMask
  RADIANCE = ST_TRAD ST_URAD ST_DRAD
  FRACTION = ST_ATRAN ST_EMIS ST_EMSD SR_ATMOS_OPACITY
  KILOMETERS = ST_CDIST
  KELVIN = ST_QA
landsat-mss-l1:
  REFLECTANCE = B01 B02 B03 B04
  DN = BQA QA_RADSAT dataMask
landsat-ot-l1:
  REFLECTANCE = B01 B02 B03 B04 B05 B06 B07 B08 B09
  BRIGHTNESS_TEMPERATURE = B10 B11
  DN = BQA QA_RADSAT dataMask
  DEGREES = VAA VZA SAA SZA
landsat-ot-l2:
  REFLECTANCE = B01 B02 B03 B04 B05 B06 B07
  SURFACE_TEMPERATURE = B10
  DN = BQA QA_RADSAT SR_QA_AEROSOL dataMask
  KELVIN = ST_QA
  RADIANCE = ST_TRAD ST_URAD ST_DRAD
  FRACTION = ST_ATRAN ST_EMIS ST_EMSD
  KILOMETERS = ST_CDIST
landsat-tm-l1:
  REFLECTANCE = B01 B02 B03 B04 B05 B07
  BRIGHTNESS_TEMPERATURE = B06
  DN = BQA QA_RADSAT dataMask
  DEGREES = VAA VZA SAA SZA
landsat-tm-l2:
  REFLECTANCE = B01 B02 B03 B04 B05 B07
  SURFACE_TEMPERATURE = B06
  DN = BQA QA_RADSAT SR_CLOUD_QA dataMask
  RADIANCE = ST_TRAD ST_URAD ST_DRAD
  FRACTION = ST_ATRAN ST_EMIS ST_EMSD SR_ATMOS_OPACITY
  KILOMETERS = ST_CDIST
  KELVIN = ST_QA
modis:
  REFLECTANCE = B01 B02 B03 B04 B05 B06 B07
  DN = dataMask
sentinel-1-grd:
  LINEAR_POWER = VV VH HH HV
  DN = localIncidenceAngle scatteringArea shadowMask dataMask
sentinel-2-l1c:
  REFLECTANCE/DN = B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B10 B11 B12
  DEGREES = sunAzimuthAngles viewAzimuthMean sunZenithAngles viewZenithMean
  DN = CLP CLM dataMask
sentinel-2-l2a:
  REFLECTANCE/DN = B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B11 B12
  OPTICAL_DEPTH/DN = AOT
  DEGREES = sunAzimuthAngles viewAzimuthMean sunZenithAngles viewZenithMean
  PERCENT = SNW CLD
  DN = SCL CLP CLM dataMask
sentinel-3-olci:
  REFLECTANCE = B01 B02 B03 B04 B05 B06 B07 B08 B09 B10 B11 B12 B13 B14 B15 B16 B17 B18 B19 B20 B21
  DEGREES = VAA VZA SAA SZA
  PERCENT = HUMIDITY
  HECTOPASCALS = SEA_LEVEL_PRESSURE
  KG_M2 = TOTAL_COLUMN_OZONE TOTAL_COLUMN_WATER_VAPOUR
  DN = QUALITY_FLAGS dataMask
sentinel-3-slstr:
  REFLECTANCE = S1 S2 S3 S4 S5 S6
  BRIGHTNESS_TEMPERATURE = S7 S8 S9 F1 F2
  DN = dataMask
sentinel-5p-l2:
  DN = CO HCHO NO2 O3 SO2 dataMask
  PPB = CH4
  INDEX = AER_AI_340_380 AER_AI_354_388
  PASCALS = CLOUD_BASE_PRESSURE CLOUD_TOP_PRESSURE
  METERS = CLOUD_BASE_HEIGHT CLOUD_TOP_HEIGHT
  OPTICAL_DEPTH = CLOUD_OPTICAL_THICKNESS
  FRACTION = CLOUD_FRACTION
"""


def units_of(collection: str) -> dict[str, tuple[str, ...]] | None:
    """Return the bands of a collection with their units; None where they are not known."""
    return _parsed().get(collection)


@cache
def _parsed() -> dict[str, dict[str, tuple[str, ...]]]:
    collections: dict[str, dict[str, tuple[str, ...]]] = {}
    bands: dict[str, tuple[str, ...]] = {}
    units: tuple[str, ...] = ()
    for line in TABLE.splitlines():
        if not line.startswith(" "):
            bands = collections.setdefault(line.rstrip(":"), {})
            continue
        offered, equals, names = line.rpartition("=")
        if equals:
            units = tuple(offered.strip().split("/"))
        bands.update(dict.fromkeys(names.split(), units))
    return collections
