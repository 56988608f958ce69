"""Places on an object storage, with the credentials for them."""

from __future__ import annotations

import re

from airflow_provider_sentinelhub.sandbox.validation.findings import NOT_IMITATED, Findings, Json

_CREDENTIALS = {
    "accessKey": re.compile(r"[!-~]{1,256}"),
    "secretAccessKey": re.compile(r"[!-~]{1,256}"),
    "iamRoleARN": re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[!-~]{1,512}"),
}


class BucketFindings(Findings):
    """The findings about places on an object storage."""

    def check_bucket(self, storage: Json, at: tuple[str, ...]) -> Json | None:
        """Look at all but the URL; return the ``s3`` object, or ``None`` after noting that there is none."""
        if "s3" not in storage:
            other = next(iter(storage), None)
            self.fail(
                at, f"{other}: {NOT_IMITATED}" if other in {"gs", "pl:destinations"} else "s3 must be given"
            )
            return None
        bucket = self.child(storage, "s3", at)
        if bucket is None:
            return None
        at = (*at, "s3")
        for key, form in _CREDENTIALS.items():
            value = bucket.get(key)
            if key in bucket and not (isinstance(value, str) and form.fullmatch(value)):
                self.fail((*at, key), "does not have the form of one")
        if not isinstance(bucket.get("region", ""), str):
            self.fail((*at, "region"), "must be a text")
        keys = {"accessKey", "secretAccessKey"} & bucket.keys()
        if len(keys) == 1 or bool(keys) == ("iamRoleARN" in bucket):
            self.fail(at, "either iamRoleARN, or accessKey and secretAccessKey must be given")
        return bucket
