"""What the ``output`` of a request for Zarr asks for, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

Json = dict[str, Any]

_ANY = ("INT8", "UINT8", "INT16", "UINT16", "FLOAT32", "AUTO")
SAMPLE_TYPES: dict[str, tuple[str, ...]] = {
    "|u1": ("UINT8", "AUTO"),
    "|i1": ("INT8",),
    **dict.fromkeys(("<u2", ">u2"), ("UINT16", "UINT8", "AUTO")),
    **dict.fromkeys(("<i2", ">i2"), ("INT16", "UINT8", "INT8", "AUTO")),
    **dict.fromkeys(("<f4", ">f4", "<f8", ">f8"), _ANY),
}
"""For each ``dtype`` the sample types it may hold (documented)."""

DEFAULTS: Json = {
    "order": "C",
    "compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
}
REQUIRED = ("dtype", "chunks", "fill_value")
NOT_A_NUMBER = ("NaN", "Infinity", "-Infinity")  # how JSON metadata spells them
COORDINATES = ("time", "y", "x")
_GROUP_FILES = {".zattrs", ".zgroup", ".zmetadata", ".zarray"}


@dataclass(frozen=True)
class ZarrArray:
    """One output's array; ``chunks`` are rows and columns, ``fill_value`` is as in JSON."""

    name: str
    dtype: str
    chunks: tuple[int, int]
    fill_value: float | str
    compressor: Json
    attributes: Json

    @property
    def fill(self) -> NDArray[Any]:
        """The fill value as an array of one, in the array's type."""
        return np.array([float(self.fill_value)]).astype(self.dtype)

    def sample_type_fault(self, sample_type: str) -> str | None:
        """Say what is wrong with an evalscript's ``sampleType`` for this array."""
        if sample_type in SAMPLE_TYPES[self.dtype]:
            return None
        return f"Output {self.name} has sampleType {sample_type}, which dtype {self.dtype} cannot hold."


@dataclass(frozen=True)
class ZarrOutput:
    """The arrays of a request and the group's own settings."""

    arrays: tuple[ZarrArray, ...]
    bottom_left: bool  # rows count from the south
    attributes: Json

    @classmethod
    def read(cls, output: Json, identifiers: Sequence[str]) -> ZarrOutput:
        """Read an ``output`` that passed validation, for responses of these identifiers."""
        group = output["group"]
        arrays = []
        for identifier in identifiers:
            values = merged(output, identifier)
            _, rows, columns = map(int, values["chunks"])
            arrays.append(
                ZarrArray(
                    name=identifier,
                    dtype=values["dtype"],
                    chunks=(rows, columns),
                    fill_value=values["fill_value"],
                    compressor=values["compressor"],
                    attributes=output.get("arrayOverrides", {})
                    .get(identifier, {})
                    .get("customAttributes", {}),
                )
            )
        return cls(
            arrays=tuple(arrays),
            bottom_left=group["coordinates"]["origin"] == "bottomLeft",
            attributes=group.get("customAttributes", {}),
        )


def merged(output: Json, identifier: str) -> Json:
    """Return the parameters of one array: defaults, the common ones, its own."""
    common, own = output.get("arrayParameters", {}), output.get("arrayOverrides", {}).get(identifier, {})
    return {**DEFAULTS, **common, **own}


def in_the_way(keys: Iterable[str], prefix: str) -> str | None:
    """Return a key that forbids to make a group at a prefix: Zarr's own files, or any subfolder."""
    for key in sorted(keys):
        rest = key.removeprefix(prefix)
        if "/" in rest or rest in _GROUP_FILES:
            return key
    return None
