"""Wait for the tiles of a batch request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sensors.batch import SentinelHubBatchSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.models import BatchRequest


class SentinelHubTilesSensor(SentinelHubBatchSensor):
    """Wait until a batch request is DONE and return its delivered tiles, for ``.expand()``.

    Each tile is a dict: ``name``, ``crs`` (``EPSG:32611``), ``bounds`` (minx, miny, maxx, maxy in that CRS),
    ``width`` and ``height`` in pixels, and ``outputs``, the ``s3://`` location of each output. Tiles without
    any data are left out. The task fails if a tile failed or is not on the bucket: DONE alone is no proof.

    Airflow hands at most 1,024 items to mapped tasks (``[core] max_map_length``).

    :param request_id: the batch request. (templated)
    :param aws_conn_id: AWS connection that may read the bucket. (templated)
    """

    template_fields: Sequence[str] = ("request_id", "aws_conn_id", "sentinelhub_conn_id")

    def __init__(self, *, request_id: str, aws_conn_id: str = "aws_default", **kwargs: Any) -> None:
        super().__init__(request_id=request_id, target_status="DONE", **kwargs)
        self.aws_conn_id = aws_conn_id

    def _result(self, request: BatchRequest, context: Context) -> list[dict[str, Any]]:  # noqa: ARG002
        from airflow_provider_sentinelhub.client.tiles import list_tiles
        from airflow_provider_sentinelhub.hooks.delivery import bucket_client

        tiles = list_tiles(bucket_client(self.aws_conn_id), request)
        files = sum(len(tile.outputs) for tile in tiles)
        self.log.info("Batch request %s delivered %d tiles, %d files", request.id, len(tiles), files)
        return [tile.to_record() for tile in tiles]
