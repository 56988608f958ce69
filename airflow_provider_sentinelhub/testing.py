"""Helpers for unit tests of evalscripts; they need the ``evalscript`` extra and neither account nor network.

::

    from airflow_provider_sentinelhub.testing import assert_evalscript, evaluate_pixel

    SCRIPT = Path(__file__).parent / "ndvi.js"

    def test_the_script_is_sound() -> None:
        assert_evalscript(SCRIPT, collections="sentinel-2-l2a", outputs=["NDVI"], cog=True)

    def test_clouds_are_left_out() -> None:
        cloud = {"B04": 8000, "B08": 8000, "CLM": 1, "dataMask": 1}
        clear = {"B04": 1000, "B08": 3000, "CLM": 0, "dataMask": 1}
        assert evaluate_pixel(SCRIPT, [cloud, clear])["NDVI"] == [0.5]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client import evalscript

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_sentinelhub.client.evalscript.evaluate import Sample

__all__ = ["assert_evalscript", "evaluate_pixel"]


def assert_evalscript(
    script: Path | str,
    *,
    collections: str | Sequence[str] | Mapping[str, str] = (),
    outputs: Sequence[str] | Mapping[str, str] | None = None,
    cog: bool = False,
    zarr: bool = False,
) -> evalscript.Findings:
    """Fail, naming all faults, unless a batch request could use the script.

    :param script: the path of a ``.js`` file, or the script's text
    :param collections: type of the request's collection, or for data fusion a dict of id to type; without
        any, bands and units are not checked
    :param outputs: the requested outputs, as GeoTIFF or Zarr arrays, or a dict of output to MIME type; by
        default all that the script declares
    :param cog: whether cloud-optimised GeoTIFF is wanted
    :param zarr: whether Zarr is wanted
    :return: the findings: ``warnings``, and what the script declares in ``setup``
    """
    if isinstance(collections, str):
        collections = [collections]
    sources: list[tuple[str, str | None]] = (
        [(kind, name) for name, kind in collections.items()]
        if isinstance(collections, Mapping)
        else [(kind, None) for kind in collections]
    )
    if outputs is not None and not isinstance(outputs, Mapping):
        outputs = dict.fromkeys(outputs, "zarr/array" if zarr else "image/tiff")
    found = evalscript.check(
        _text(script),
        sources=sources,
        responses=outputs,
        output="zarr" if zarr else "raster",
        cog=cog,
    )
    if found.faults:
        raise AssertionError("\n".join(("The evalscript cannot work:", *map(str, found.faults))))
    return found


def evaluate_pixel(
    script: Path | str,
    samples: Sample | Sequence[Sample] | Mapping[str, Sequence[Sample]],
    scenes: Sequence[datetime | str] | None = None,
) -> dict[str, list[float]]:
    """Run the script on one pixel; returns the values of each output, before they are rounded or clamped.

    :param script: the path of a ``.js`` file, or the script's text
    :param samples: band to value, in the unit that the script asks for; with ORBIT or TILE mosaicking a list
        of these, the most recent first; with data fusion a dict of datasource to list
    :param scenes: with ORBIT or TILE mosaicking the date-times of the samples, UTC where they have no zone;
        by default five days apart
    """
    return evalscript.evaluate_pixel(_text(script), samples, scenes)


def _text(script: Path | str) -> str:
    if isinstance(script, str) and ("\n" in script or not script.endswith(".js")):
        return script
    return Path(script).read_text(encoding="utf-8")
