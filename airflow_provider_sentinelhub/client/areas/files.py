"""Files that geopandas reads."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from airflow_provider_sentinelhub.client.areas.faults import unreadable


def exists(place: str) -> bool:
    """Whether there is such a file; a .gdb is a folder."""
    try:
        return Path(place).is_file() or (place.endswith(".gdb") and Path(place).is_dir())
    except (OSError, ValueError):  # too long for a name, or not text for one
        return False


def read_with_geopandas(source: str | bytes, kind: str) -> Any:
    """Return the GeoDataFrame of a file or of its content, ``kind`` being its suffix."""
    try:
        import geopandas
    except ImportError as error:
        raise unreadable(
            f"is a {kind or 'nameless'} file, which needs geopandas",
            "Install geopandas, or save it as GeoJSON",
        ) from error
    what: Any = source if isinstance(source, str) else io.BytesIO(source)
    try:
        if kind in (".parquet", ".feather"):
            return (geopandas.read_parquet if kind == ".parquet" else geopandas.read_feather)(what)
        layers = geopandas.list_layers(what)
        layers = list(layers[layers.geometry_type.notna()].name)
        if len(layers) != 1:
            raise unreadable(
                f"is a file of {len(layers)} layers ({', '.join(layers[:10])})"
                if layers
                else "is a file without geometry",
                "Give a file with one layer of polygons",
            )
        return geopandas.read_file(what, layer=layers[0])
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise unreadable(
            f"cannot be read from the {kind} file ({str(error)[:200]})", "Save it as GeoJSON"
        ) from error
