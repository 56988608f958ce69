"""The ``input`` of a batch request that names a GeoPackage; the file itself is looked at by the analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.sandbox.delivery import Destination
from airflow_provider_sentinelhub.sandbox.features import MAX_SIDE
from airflow_provider_sentinelhub.sandbox.steering import is_number, is_whole
from airflow_provider_sentinelhub.sandbox.validation.buckets import BucketFindings

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.sandbox.validation.findings import Json


class GeoPackageFindings(BucketFindings):
    """The findings about a GeoPackage ``input``."""

    def check(self, source: Json) -> None:
        """Look at all of it."""
        features = self.child(source, "features", ("input",))
        if features is not None:
            bucket = self.check_bucket(features, ("input", "features"))
            if bucket is not None:
                self._url(bucket.get("url"))
        if "defaults" in source:
            self._defaults(source["defaults"])

    def _url(self, url: object) -> None:
        at = ("input", "features", "s3", "url")
        try:
            place = Destination.parse(url if isinstance(url, str) else "")
        except ValueError as error:
            self.fail(at, str(error))
            return
        if not place.template or place.placeholders:
            self.fail(at, "must be the URL of the GeoPackage itself, without placeholders")

    def _defaults(self, defaults: object) -> None:
        at = ("input", "defaults")
        if not isinstance(defaults, dict):
            self.fail(at, "must be an object")
            return
        for key in ("width", "height"):
            pixels = defaults.get(key, 1)
            if not is_whole(pixels) or not 1 <= pixels <= MAX_SIDE:
                self.fail((*at, key), f"must be a whole number of pixels from 1 to {MAX_SIDE}")
        resolution = defaults.get("resolution", 1)
        if not is_number(resolution) or resolution <= 0:
            self.fail((*at, "resolution"), "must be a number above 0")
        if "resolution" in defaults and {"width", "height"} & defaults.keys():
            self.fail(at, "either width and height, or resolution can be given")
