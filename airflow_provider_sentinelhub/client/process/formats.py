"""The forms in which an image comes, and how a file shows which one it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from airflow_provider_sentinelhub.client.errors import Fault

PNG, JPEG, TIFF, JSON = "image/png", "image/jpeg", "image/tiff", "application/json"
EXTENSIONS = {PNG: "png", JPEG: "jpg", TIFF: "tif", JSON: "json"}
# The one output that is no image.
USERDATA = "userdata"

_SUFFIXES = {".png": PNG, ".jpg": JPEG, ".jpeg": JPEG, ".tif": TIFF, ".tiff": TIFF, ".json": JSON}
_SHORT = {suffix[1:]: kind for suffix, kind in _SUFFIXES.items()}
_BEGINNINGS = {
    PNG: (b"\x89PNG\r\n\x1a\n",),
    JPEG: (b"\xff\xd8\xff",),
    TIFF: (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
_REMEDY = "Name the evalscript's outputs that are wanted, such as ['NDVI'] or {'NDVI': 'image/png'}"


def format_of_path(path: str) -> str | None:
    """Return the MIME type that a file's name promises, None if it does not say."""
    return _SUFFIXES.get(PurePosixPath(path).suffix.lower())


def formats_of(outputs: Any, faults: list[Fault], default: str = TIFF) -> dict[str, str]:
    """Return the MIME type of each output; in a list of names all are ``default``, ``userdata`` is JSON.

    ``png``, ``jpg``, ``tif`` and ``json`` may stand for the MIME type.
    """
    if isinstance(outputs, str):
        outputs = [name.strip() for name in outputs.split(",") if name.strip()]
    if not outputs or not hasattr(outputs, "__iter__"):
        faults.append(Fault("outputs", "is empty" if not outputs else "is not a list of names", _REMEDY))
        return {}
    names = list(outputs)
    if not all(isinstance(name, str) and name.strip() and "/" not in name for name in names):
        faults.append(Fault("outputs", "has names that cannot be the id of an output", _REMEDY))
        return {}
    if len(set(names)) < len(names):
        faults.append(Fault("outputs", "names an output twice", "Name each output once"))
    if not isinstance(outputs, Mapping):
        return {name: JSON if name == USERDATA else default for name in names}
    formats: dict[str, str] = {
        name: _SHORT.get(str(kind).lower(), str(kind)) for name, kind in outputs.items()
    }
    for name, kind in formats.items():
        offered = (JSON,) if name == USERDATA else (PNG, JPEG, TIFF)
        if kind not in offered:
            remedy = f"Choose {' or '.join(offered)}" + (
                f"; {JSON} is for the output {USERDATA}" if kind == JSON else ""
            )
            faults.append(Fault("outputs", f"{name} cannot be made as {kind!r}", remedy))
    return formats


def is_a(kind: str, content: bytes) -> bool:
    """Whether a file's content is of a MIME type, as far as its beginning shows."""
    if kind != JSON:
        return content.startswith(_BEGINNINGS[kind])
    try:
        json.loads(content)
    except ValueError:
        return False
    return True
