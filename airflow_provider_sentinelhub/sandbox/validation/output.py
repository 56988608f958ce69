"""The ``input`` and ``output`` of a batch request: grid, files, delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.sandbox import delivery
from airflow_provider_sentinelhub.sandbox.grids import GRIDS
from airflow_provider_sentinelhub.sandbox.steering import is_whole
from airflow_provider_sentinelhub.sandbox.validation.buckets import BucketFindings
from airflow_provider_sentinelhub.sandbox.validation.findings import NOT_IMITATED, Json

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BUFFER = 2**15 - 1

_RESAMPLING = ("nearest", "average", "gauss", "cubic", "cubicspline", "lanczos", "average_magphase", "mode")


class OutputFindings(BucketFindings):
    """The findings about ``input`` and ``output``; fills in their defaults."""

    def check_grid(self, grid: Json) -> None:
        """Look at ``input``."""
        if grid.get("type") != "tiling-grid":
            self.fail(("input", "type"), "must be tiling-grid or geopackage")
            return
        number = grid.get("id")
        if not is_whole(number) or number not in GRIDS:
            self.fail(("input", "id"), f"must be the id of a tiling grid: {', '.join(map(str, GRIDS))}")
        elif grid.get("resolution") not in GRIDS[int(number)].resolutions:
            offered = ", ".join(f"{value:g}" for value in sorted(GRIDS[int(number)].resolutions))
            self.fail(("input", "resolution"), f"must be a resolution of the grid: {offered}")
        for key in ("bufferX", "bufferY"):
            pixels = grid.setdefault(key, 0)
            if not is_whole(pixels) or not 0 <= pixels <= MAX_BUFFER:
                self.fail(("input", key), f"must be a whole number of pixels from 0 to {MAX_BUFFER}")

    def check_output(self, output: Json, responses: Sequence[tuple[str, str]]) -> None:
        """Look at ``output``, for responses of these identifiers and MIME types.

        What only Zarr has is for `ZarrFindings`.
        """
        if output.get("type") not in ("raster", "zarr"):
            self.fail(("output", "type"), "must be raster or zarr")
            return
        if output["type"] == "raster":
            self._raster(output, responses)
        target = self.child(output, "delivery", ("output",))
        if target is not None:
            self._delivery(target, outputs=len(responses), zarr=output["type"] == "zarr")

    def _raster(self, output: Json, responses: Sequence[tuple[str, str]]) -> None:
        for key in ("overwrite", "skipExisting", "cogOutput", "createCollection"):
            if not isinstance(output.setdefault(key, False), bool):
                self.fail(("output", key), "must be true or false")
        if output["createCollection"] is True or "collectionId" in output:
            self.fail(("output", "createCollection"), f"ingestion into a collection: {NOT_IMITATED}")
        if output["cogOutput"] is True and any(mime != "image/tiff" for _, mime in responses):
            self.fail(("output", "cogOutput"), "all outputs must be image/tiff")
        if "cogParameters" in output:
            self._cog(output["cogParameters"])

    def _cog(self, parameters: object) -> None:
        at = ("output", "cogParameters")
        if not isinstance(parameters, dict):
            self.fail(at, "must be an object")
            return
        self.choice(parameters, "resamplingAlgorithm", at, _RESAMPLING)
        for key in ("blockxsize", "blockysize"):
            size = parameters.get(key, 256)
            if not is_whole(size) or size <= 0 or size % 16:
                self.fail((*at, key), "must be a positive multiple of 16")
        if not is_whole(parameters.get("overviewMinSize", 1)) or parameters.get("overviewMinSize", 1) < 1:
            self.fail((*at, "overviewMinSize"), "must be a whole number, 1 or more")
        levels = parameters.get("overviewLevels", [])
        if not isinstance(levels, list) or not all(is_whole(level) and level >= 2 for level in levels):
            self.fail((*at, "overviewLevels"), "must be a list of whole numbers, 2 or more")
        if not isinstance(parameters.get("usePredictor", True), bool):
            self.fail((*at, "usePredictor"), "must be true or false")

    def _delivery(self, target: Json, *, outputs: int, zarr: bool) -> None:
        bucket = self.check_bucket(target, ("output", "delivery"))
        if bucket is None:
            return
        at = ("output", "delivery", "s3")
        url = bucket.get("url")
        try:
            destination = delivery.Destination.parse(url if isinstance(url, str) else "")
        except ValueError as error:
            self.fail((*at, "url"), str(error))
            return
        used = destination.placeholders
        unknown = [name for name in used if name not in delivery.PLACEHOLDERS]
        if unknown:
            self.fail((*at, "url"), f"unknown placeholder: {', '.join(unknown)}")
        elif zarr:
            if set(used) - {"requestId"}:
                self.fail((*at, "url"), "only the placeholder <requestId> is possible with Zarr output")
        elif used and not {"tileName", "tileId"} & set(used):
            self.fail((*at, "url"), "the template must contain <tileName>")
        elif used and outputs > 1 and "outputId" not in used:
            self.fail((*at, "url"), "the template must contain <outputId> when there are several outputs")
