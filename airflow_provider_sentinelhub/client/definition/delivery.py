"""Where the results go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.definition.rules import choices
from airflow_provider_sentinelhub.client.definition.storage import Names, Storage
from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACEHOLDERS = ("<requestId>", "<tileName>", "<tileId>", "<outputId>", "<format>")
NAMES = Names(
    url="delivery_url",
    aws="delivery_aws_conn_id",
    google="delivery_gcp_conn_id",
    role="iam_role_arn",
    region="delivery_region",
)


@dataclass(frozen=True)
class Delivery(Storage):
    """Where the service writes: ``s3://bucket/prefix`` or ``gs://bucket/prefix`` and what lets it in.

    The URL may hold ``<requestId>``, ``<tileName>``, ``<outputId>`` and ``<format>``; without any of them
    the service appends ``/<requestId>/<tileName>/<outputId>.<format>``. For Zarr, only ``<requestId>``.
    """

    def faults(self, outputs: int, *, zarr: bool) -> Iterator[Fault]:
        """Name what is wrong with the place, given the number of outputs."""
        yield from self.url_faults(NAMES, "s3://my-bucket/ndvi")
        used = re.findall(r"<[^<>/]*>?", str(self.url))
        for one in used:
            if one not in _PLACEHOLDERS:
                yield Fault(NAMES.url, f"{one} is not a placeholder", choices(one, _PLACEHOLDERS))
        known = set(used) & set(_PLACEHOLDERS)
        if zarr:
            for one in sorted(known - {"<requestId>"}):
                yield Fault(NAMES.url, f"a Zarr has no place for {one}", "Use none but <requestId>")
        elif known:
            if not known & {"<tileName>", "<tileId>"} and len(known) == len(set(used)):
                problem = "the template has no <tileName>, and all tiles would be one file"
                yield Fault(NAMES.url, problem, "Add it, or leave the placeholders out")
            if outputs > 1 and "<outputId>" not in known:
                yield Fault(NAMES.url, "the template has no <outputId>", "Add it: there are several outputs")
