"""Answers of the Catalog: landing page, collections, items, as they go over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shapely.geometry import mapping

from airflow_provider_sentinelhub.sandbox.catalog.filters import QUERYABLES
from airflow_provider_sentinelhub.sandbox.evalscript.bands import COLLECTIONS as BANDS
from airflow_provider_sentinelhub.sandbox.scenes import COLLECTIONS, FIRST_DAY, footprint

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.sandbox.scenes import Product

CONFORMANCE = [
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/item-search#fields",
    "https://api.stacspec.org/v1.0.0/item-search#context",
    "https://api.stacspec.org/v1.0.0/item-search#filter",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
    "http://www.opengis.net/spec/cql2/1.0/conf/basic-cql2",
]

_STAC = "1.0.0"
_JSON, _GEOJSON = "application/json", "application/geo+json"
_LEVELS = {"sentinel-2-l1c": "1C", "sentinel-2-l2a": "2A"}
_TIME = "%Y%m%dT%H%M%S"
_EO = "https://stac-extensions.github.io/eo/v1.0.0/schema.json"
_PROJECTION = "https://stac-extensions.github.io/projection/v1.0.0/schema.json"


def links(root: str, path: str, parent: str = "") -> list[dict[str, Any]]:
    """Return the links that all resources have."""
    return [
        {"href": f"{root}/", "rel": "root", "type": _JSON},
        {"href": root + path, "rel": "self", "type": _JSON},
        {"href": f"{root}{parent}" if parent else f"{root}/", "rel": "parent", "type": _JSON},
    ]


def landing_page(root: str) -> dict[str, Any]:
    """Return the root of the catalog."""
    searches = [
        {
            "href": f"{root}/search",
            "rel": "search",
            "type": _GEOJSON,
            "title": "STAC search",
            "method": method,
        }
        for method in ("GET", "POST")
    ]
    children = [
        {"href": f"{root}/collections/{name}", "rel": "child", "type": _JSON, "title": _title(name)}
        for name in COLLECTIONS
    ]
    return {
        "type": "Catalog",
        "stac_version": _STAC,
        "id": "sentinel-hub-sandbox",
        "title": "Sentinel Hub sandbox",
        "description": "STAC catalog of a made-up world",
        "conformsTo": CONFORMANCE,
        "links": [
            {"href": f"{root}/", "rel": "root", "type": _JSON},
            {"href": f"{root}/", "rel": "self", "type": _JSON},
            {"href": f"{root}/collections", "rel": "data", "type": _JSON},
            {"href": f"{root}/conformance", "rel": "conformance", "type": _JSON},
            *searches,
            *children,
        ],
    }


def collection(name: str, root: str) -> dict[str, Any]:
    """Return a collection."""
    path = f"/collections/{name}"
    queryable = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
    return {
        "stac_version": _STAC,
        "stac_extensions": [_EO],
        "type": "Collection",
        "id": name,
        "title": _title(name),
        "description": f"Synthetic Sentinel-2 imagery, level {_LEVELS[name]}",
        "license": "proprietary",
        "extent": {
            "spatial": {"bbox": [[-180, -85, 180, 85]]},
            "temporal": {"interval": [[f"{FIRST_DAY:%Y-%m-%dT%H:%M:%SZ}", None]]},
        },
        "summaries": {
            "platform": ["sentinel-2a", "sentinel-2b"],
            "instruments": ["msi"],
            "constellation": ["sentinel-2"],
            "gsd": [10],
            "eo:cloud_cover": {"minimum": 0, "maximum": 100},
            "eo:bands": [{"name": band} for band in BANDS[name].units if band.startswith("B")],
        },
        "links": [
            *links(root, path, "/collections"),
            {"href": f"{root}{path}/queryables", "rel": queryable, "type": "application/schema+json"},
        ],
    }


def queryables(url: str) -> dict[str, Any]:
    """Return what filters may name, as JSON Schema."""
    return {
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "$id": url,
        "type": "object",
        "title": "Queryables",
        "description": "Names that the filter of a search may use.",
        "properties": QUERYABLES,
        "additionalProperties": False,
    }


def identifier(product: Product) -> str:
    """Return the id of a product's item: that of the real one as far as the sandbox knows it.

    The baseline is always 05.00, and the times of the datatake and of the making are that of the granule.
    """
    zone, band, square = product.granule.name
    seen = product.date.strftime(_TIME)
    level, orbit = _LEVELS[product.collection], product.orbit
    return (
        f"S2{orbit.satellite}_MSIL{level}_{seen}_N0500_R{orbit.orbit:03d}"
        f"_T{int(zone):02d}{band}{square}_{seen}"
    )


def item(product: Product) -> dict[str, Any]:
    """Return a product's item, without links."""
    outline = footprint(product)
    granule = product.granule
    ring = [list(map(list, outline.utm.exterior.coords))]  # type: ignore[attr-defined]
    crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{granule.epsg}"}}
    return {
        "stac_version": _STAC,
        "stac_extensions": [_EO, _PROJECTION],
        "type": "Feature",
        "id": identifier(product),
        "collection": product.collection,
        "bbox": list(outline.lonlat.bounds),
        "geometry": mapping(outline.lonlat),
        "properties": {
            "datetime": f"{product.date:%Y-%m-%dT%H:%M:%SZ}",
            "platform": f"sentinel-2{product.orbit.satellite.lower()}",
            "instruments": ["msi"],
            "constellation": "sentinel-2",
            "gsd": 10,
            "eo:cloud_cover": product.cloud_cover,
            "proj:epsg": granule.epsg,
            "proj:bbox": list(granule.bounds),
            "proj:geometry": {"type": "MultiPolygon", "crs": crs, "coordinates": [ring]},
        },
        "assets": {"data": {"href": f"{product.path}/", "title": "s3", "type": "inode/directory"}},
    }


def linked(feature: dict[str, Any], root: str) -> dict[str, Any]:
    """Return an item with its links."""
    parent = f"/collections/{feature['collection']}"
    return {**feature, "links": links(root, f"{parent}/items/{feature['id']}", parent)}


def _title(name: str) -> str:
    return f"Sentinel 2 L{_LEVELS[name]}"
