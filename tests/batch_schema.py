"""What a create call may look like, as a JSON schema: the facts of the published document, no more."""

from __future__ import annotations

from typing import Any

ORDERS = ["mostRecent", "leastRecent"]
DIRECTIONS = ["ASCENDING", "DESCENDING"]
POSITION = {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number"}}

# Every key that occurs in it.
KEYS: set[str] = set()


def thing(required: str = "", /, **properties: Any) -> dict[str, Any]:
    """Return the schema of an object that has these properties and no others."""
    KEYS.update(properties)
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def among(*values: Any) -> dict[str, Any]:
    return {"enum": list(values)}


def listed(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


TEXT = {"type": "string", "minLength": 1}
FLAG = {"type": "boolean"}
WHOLE = {"type": "integer"}
ANYTHING = {"type": "object"}
MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
DATES = thing("from to", **{"from": MOMENT, "to": MOMENT})
PERCENT = {"type": "number", "minimum": 0, "maximum": 100}
INTERPOLATION = among("NEAREST", "BILINEAR", "BICUBIC")


def source(kind: dict[str, Any], filters: dict[str, Any], processing: dict[str, Any]) -> dict[str, Any]:
    return thing(
        "type",
        type=kind,
        id=TEXT,
        dataFilter=thing(**filters),
        processing=thing(upsampling=INTERPOLATION, downsampling=INTERPOLATION, **processing),
    )


def plain(**more: Any) -> dict[str, Any]:
    return {"timeRange": DATES, "mosaickingOrder": among(*ORDERS), **more}


def cloudy(**more: Any) -> dict[str, Any]:
    order = among(*ORDERS, "leastCC")
    return {"timeRange": DATES, "mosaickingOrder": order, "maxCloudCoverage": PERCENT, **more}


RADAR_FILTER = plain(
    resolution=among("HIGH", "MEDIUM", "FULL"),
    acquisitionMode=among("SM", "IW", "EW", "WV", "EN", "AN", "IM"),
    polarization=among("SH", "SV", "DH", "DV", "HH", "HV", "VV", "VH"),
    orbitDirection=among(*DIRECTIONS),
    timeliness=among("NRT10m", "NRT1h", "NRT3h", "Fast24h", "Offline", "Reprocessing", "ArchNormal"),
)
WINDOW = {"type": "integer", "minimum": 1, "maximum": 7}
RADAR_PROCESSING = {
    "backCoeff": among("BETA0", "SIGMA0_ELLIPSOID", "GAMMA0_ELLIPSOID", "GAMMA0_TERRAIN"),
    "orthorectify": FLAG,
    "demInstance": among("MAPZEN", "COPERNICUS", "COPERNICUS_30", "COPERNICUS_90"),
    "radiometricTerrainOversampling": {"type": "number", "minimum": 1, "maximum": 4},
    "speckleFilter": {
        "oneOf": [
            thing("type windowSizeX windowSizeY", type=among("LEE"), windowSizeX=WINDOW, windowSizeY=WINDOW),
            thing("type", type=among("NONE"), windowSizeX=WINDOW, windowSizeY=WINDOW),
        ]
    },
}
TIERS = {"tiers": among("TIER_1", "ALL_TIERS")}
TIERS_RT = {"tiers": among("TIER_1", "TIER_1_AND_RT", "ALL_TIERS")}
SOURCE = {
    "oneOf": [
        source(among("sentinel-2-l1c", "sentinel-2-l2a"), cloudy(), {"harmonizeValues": FLAG}),
        source(among("sentinel-1-grd"), RADAR_FILTER, RADAR_PROCESSING),
        source(among("landsat-8-l1c", "landsat-ot-l1", "landsat-etm-l1"), cloudy(**TIERS_RT), {}),
        source(
            among("landsat-ot-l2", "landsat-etm-l2", "landsat-tm-l1", "landsat-tm-l2", "landsat-mss-l1"),
            cloudy(**TIERS),
            {},
        ),
        source(among("modis"), plain(), {}),
        source(
            among("dem"),
            {"demInstance": among("MAPZEN", "COPERNICUS_30", "COPERNICUS_90")},
            {"clampNegative": FLAG, "egm": FLAG},
        ),
        source(among("hls"), cloudy(constellation=among("SENTINEL", "LANDSAT")), {}),
        source({"type": "string", "pattern": "^(byoc|batch|zarr)-."}, plain(), {}),
        source(among("sentinel-3-olci"), plain(), {}),
        source(among("sentinel-3-olci-l2"), cloudy(), {}),
        source(
            among("sentinel-3-slstr"),
            cloudy(orbitDirection=among(*DIRECTIONS)),
            {"view": among("NADIR", "OBLIQUE")},
        ),
        source(
            among("sentinel-5p-l2"),
            plain(timeliness=among("NRTI", "OFFL", "RPRO")),
            {"minQa": {"type": "integer", "minimum": 0, "maximum": 100}},
        ),
    ]
}
RINGS = listed(listed(POSITION, minItems=4), minItems=1)
BOUNDS = thing(
    bbox={"type": "array", "minItems": 4, "maxItems": 4, "items": {"type": "number"}},
    geometry={
        "oneOf": [
            thing("type coordinates", type=among("Polygon"), coordinates=RINGS),
            thing("type coordinates", type=among("MultiPolygon"), coordinates=listed(RINGS)),
        ]
    },
    properties=thing(crs={"type": "string", "pattern": "^http://www.opengis.net/def/crs/"}),
)
STORAGE = {
    "oneOf": [
        thing(
            "s3",
            s3={
                **thing(
                    "url",
                    url={"type": "string", "pattern": "^s3://"},
                    **dict.fromkeys(("iamRoleARN", "accessKey", "secretAccessKey", "region"), TEXT),
                ),
                "oneOf": [{"required": ["iamRoleARN"]}, {"required": ["accessKey", "secretAccessKey"]}],
            },
        ),
        thing(
            "gs", gs=thing("url credentials", url={"type": "string", "pattern": "^gs://"}, credentials=TEXT)
        ),
    ]
}
DELIVERY = {"oneOf": [STORAGE, thing("pl:destinations", **{"pl:destinations": thing("url", url=TEXT)})]}
SIDE = {"type": "integer", "minimum": 1, "maximum": 3500}
PIXELS = {"type": "integer", "minimum": 1, "maximum": 2**15 - 1}
SIZE = {"type": "number", "exclusiveMinimum": 0}
INPUT = {
    "oneOf": [
        thing(
            "type id resolution",
            type=among("tiling-grid"),
            id=WHOLE,
            resolution=SIZE,
            bufferX=PIXELS,
            bufferY=PIXELS,
        ),
        thing(
            "type features",
            type=among("geopackage"),
            features=STORAGE,
            defaults=thing(width=SIDE, height=SIDE, resolution=SIZE),
        ),
    ]
}
ARRAY = {
    "dtype": among("|u1", "|i1", "<u2", ">u2", "<i2", ">i2", "<f4", ">f4", "<f8", ">f8"),
    "order": among("C"),
    "chunks": {"type": "array", "minItems": 3, "maxItems": 3, "items": {"type": "integer", "minimum": 1}},
    "fill_value": {"anyOf": [{"type": "number"}, among("NaN", "Infinity", "-Infinity")]},
    "compressor": ANYTHING,
}
COG = thing(
    overviewLevels=listed(WHOLE),
    overviewMinSize=WHOLE,
    resamplingAlgorithm=among(
        "nearest", "average", "gauss", "cubic", "cubicspline", "lanczos", "average_magphase", "mode"
    ),
    blockxsize=WHOLE,
    blockysize=WHOLE,
    usePredictor=FLAG,
)
OUTPUT = {
    "oneOf": [
        thing(
            "type delivery",
            type=among("raster"),
            delivery=DELIVERY,
            cogParameters=COG,
            collectionId=TEXT,
            **dict.fromkeys(("overwrite", "skipExisting", "cogOutput", "createCollection"), FLAG),
        ),
        thing(
            "type delivery group",
            type=among("zarr"),
            delivery=DELIVERY,
            group=thing(
                "zarr_format",
                zarr_format=among(2),
                coordinates=thing(origin=among("topLeft", "bottomLeft")),
                customAttributes=ANYTHING,
            ),
            arrayParameters=thing("dtype order chunks fill_value", **ARRAY),
            arrayOverrides={
                "type": "object",
                "additionalProperties": thing(**ARRAY, customAttributes=ANYTHING),
            },
        ),
    ]
}
RESPONSE = thing(
    "identifier format",
    identifier=TEXT,
    format=thing("type", type=among("image/tiff", "application/json", "zarr/array")),
)
CREATE = thing(
    "processRequest input output",
    processRequest=thing(
        "evalscript input output",
        evalscript=TEXT,
        input=thing("data", bounds=BOUNDS, data=listed(SOURCE, minItems=1)),
        output=thing("responses", responses=listed(RESPONSE, minItems=1)),
    ),
    input=INPUT,
    output=OUTPUT,
    description=TEXT,
)
