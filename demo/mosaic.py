"""A picture of the delivered NDVI tiles."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.merge import merge

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from numpy.typing import NDArray

# NDVI and the colour that stands for it: water, bare soil, sparse and dense vegetation.
RAMP = (
    (-0.2, (35, 70, 120)),
    (0.0, (214, 196, 164)),
    (0.2, (240, 226, 160)),
    (0.4, (170, 200, 90)),
    (0.6, (80, 155, 55)),
    (0.9, (10, 80, 35)),
)
NO_DATA = (245, 245, 245)


def save_mosaic(s3: S3Client, bucket: str, prefix: str, path: Path, longest_side: int = 1200) -> None:
    """Lay the NDVI tiles below a prefix together; saves a PNG of at most ``longest_side`` pixels a side."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
    tiles = [
        rasterio.open(BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
        for key in keys
        if key.endswith("/NDVI.tif")
    ]
    ndvi, _ = merge(tiles, nodata=float("nan"))
    step = -(-max(ndvi.shape) // longest_side)
    image = colour(ndvi[0, ::step, ::step])
    _, height, width = image.shape
    profile = {"driver": "PNG", "width": width, "height": height, "count": 3, "dtype": "uint8"}
    with warnings.catch_warnings():
        # A picture for people: that it has no place on earth is meant.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as picture:
            picture.write(image)


def colour(ndvi: NDArray[Any]) -> NDArray[Any]:
    """Colour NDVI, rows by columns, to red, green and blue bands by rows by columns."""
    stops = [stop for stop, _ in RAMP]
    bands = [np.interp(ndvi, stops, [rgb[band] for _, rgb in RAMP]) for band in range(3)]
    empty = np.isnan(ndvi)
    return np.stack([np.where(empty, NO_DATA[i], np.nan_to_num(b)) for i, b in enumerate(bands)]).astype(
        "uint8"
    )
