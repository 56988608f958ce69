"""Files that geopandas reads."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from airflow_provider_sentinelhub.client.areas.faults import unreadable


def exists(place: str) -> bool:
    """Whether there is such a file; a .gdb is a folder."""
    try:
        return Path(place).is_file() or (place.endswith(".gdb") and Path(place).is_dir())
    except (OSError, ValueError):  # too long for a name, or not text for one
        return False


def read_content(content: bytes, kind: str) -> Any:
    """Return the GeoDataFrame of a file's content, ``kind`` being the file's suffix."""
    # GDAL goes by suffixes too.
    with tempfile.NamedTemporaryFile(suffix=kind) as file:
        file.write(content)
        file.flush()
        return read_file(file.name, kind)


def read_file(path: str, kind: str) -> Any:
    """Return the GeoDataFrame of a file of one layer."""
    try:
        import geopandas
    except ImportError as error:
        raise unreadable(
            f"is a {kind or 'nameless'} file, which needs geopandas",
            "Install geopandas, or save it as GeoJSON",
        ) from error
    try:
        if kind == ".parquet":
            return geopandas.read_parquet(path)
        layers = geopandas.list_layers(path)
        names = list(layers[layers.geometry_type.notna()].name)
        if len(names) != 1:
            named = f" ({', '.join(names[:10])})" if names else " with geometry"
            raise unreadable(
                f"is a file of {len(names)} layers{named}", "Give a file with one layer of polygons"
            )
        return geopandas.read_file(path, layer=names[0])
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise unreadable(
            f"cannot be read from the {kind} file ({str(error)[:200]})", "Save it as GeoJSON"
        ) from error
