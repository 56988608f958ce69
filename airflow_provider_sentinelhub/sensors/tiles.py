"""Wait for the tiles of a batch request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk.configuration import conf

from airflow_provider_sentinelhub.sensors.batch import SentinelHubBatchSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.delivery.ledger import Ledger
    from airflow_provider_sentinelhub.client.models import BatchRequest


class SentinelHubTilesSensor(SentinelHubBatchSensor):
    """Wait until a batch request is DONE, account for every tile, and hand the delivered ones over.

    DONE alone is no proof: the plan, the service's account and the bucket are held against each other, the
    report is logged, and the task fails if more tiles were lost than allowed.

    Returns a list for ``.expand()``. As tiles, each is a dict: ``name``, ``crs`` (``EPSG:32611``), ``bounds``
    (minx, miny, maxx, maxy in that CRS), ``width`` and ``height`` in pixels, and ``outputs``, the ``s3://``
    location of each output. As chunks, each stands for up to ``chunk_size`` tiles in an index beside the
    delivery (``tiles-<request id>.jsonl``), which `read_tiles` of ``hooks.delivery`` turns into those dicts;
    it takes single tiles as well. Tiles without any data are left out. The report's counts are the XCom
    ``report``.

    Its outlets (``outlets=[Asset(...)]`` or an ``AssetAlias``) get an event with the request's id, folder,
    counts, price and time range.

    :param request_id: the batch request. (templated)
    :param aws_conn_id: AWS connection that may read the bucket, and write to it where chunks are handed over.
        (templated)
    :param max_failed_tiles: how many tiles may be lost (failed, pending or missing), as a count, or as a
        percentage such as ``"2%"``. (templated)
    :param no_data: ``"ok"``, or ``"fail"`` if a tile without data is a failure. (templated)
    :param hand_over: ``"tiles"``, ``"chunks"``, or ``"auto"``: tiles while Airflow can map over so many
        (``[core] max_map_length``, 1,024 unless changed), else chunks.
    :param chunk_size: tiles in a chunk; more where there would be too many chunks.
    :param asset_partitions: give the asset event a partition key for each ``"tile"`` (its name) or
        ``"chunk"`` (`read_tiles` takes it together with the event's extra).
    """

    template_fields: Sequence[str] = (
        "request_id",
        "aws_conn_id",
        "max_failed_tiles",
        "no_data",
        "sentinelhub_conn_id",
    )

    def __init__(
        self,
        *,
        request_id: str,
        aws_conn_id: str = "aws_default",
        max_failed_tiles: int | str = 0,
        no_data: str = "ok",
        hand_over: Literal["auto", "tiles", "chunks"] = "auto",
        chunk_size: int = 1000,
        asset_partitions: Literal["tile", "chunk"] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(request_id=request_id, target_status="DONE", **kwargs)
        self.aws_conn_id = aws_conn_id
        self.max_failed_tiles = max_failed_tiles
        self.no_data = no_data
        self.hand_over = hand_over
        self.chunk_size = chunk_size
        self.asset_partitions = asset_partitions

    def _check(self) -> None:
        super()._check()
        from airflow_provider_sentinelhub.assets import PARTITIONS
        from airflow_provider_sentinelhub.client.delivery.report import DeliveryPolicy
        from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

        faults = list(DeliveryPolicy(self.max_failed_tiles, self.no_data).faults())
        if self.hand_over not in ("auto", "tiles", "chunks"):
            faults.append(
                Fault("hand_over", f"{self.hand_over!r} is not known", "Choose 'auto', 'tiles' or 'chunks'")
            )
        if self.chunk_size < 1:
            faults.append(Fault("chunk_size", f"{self.chunk_size} is not above 0", "Give a number of tiles"))
        if self.asset_partitions not in PARTITIONS:
            faults.append(
                Fault(
                    "asset_partitions", f"{self.asset_partitions!r} is not known", "Choose 'tile' or 'chunk'"
                )
            )
        if faults:
            raise DefinitionError(faults, subject="tiles sensor")

    def _result(self, request: BatchRequest, context: Context) -> list[dict[str, Any]]:
        from airflow_provider_sentinelhub.assets import announce, delivery_extra
        from airflow_provider_sentinelhub.client.delivery.index import partition_key
        from airflow_provider_sentinelhub.client.delivery.ledger import open_ledger
        from airflow_provider_sentinelhub.client.delivery.report import DeliveryPolicy
        from airflow_provider_sentinelhub.hooks.delivery import bucket_client

        with open_ledger(bucket_client(self.aws_conn_id), request) as ledger:
            report = ledger.report
            self.log.info("%s", report.headline)
            self.log.info("\n%s", report.table())
            context["ti"].xcom_push(key="report", value=report.counts())
            DeliveryPolicy(self.max_failed_tiles, self.no_data).check(report)
            items = self._hand_over(ledger)
        figures = {
            "request_id": request.id,
            "delivery": report.delivery,
            "cost_pu": request.cost_pu,
            "report": report.counts(),
        }
        keys: list[str] = []
        if self.asset_partitions == "tile":
            keys = [item["name"] for item in items]
        elif self.asset_partitions == "chunk":
            keys = [partition_key(item) for item in items]
            figures |= {"index": items[0]["index"], "etag": items[0]["etag"]} if items else {}
        announce(context, self.outlets, report.delivery, delivery_extra(request.definition, figures), keys)
        return items

    def _hand_over(self, ledger: Ledger) -> list[dict[str, Any]]:
        from airflow_provider_sentinelhub.client.delivery.index import write_index
        from airflow_provider_sentinelhub.hooks.delivery import bucket_client

        most = conf.getint("core", "max_map_length", fallback=1024)
        how = self.hand_over
        if self.asset_partitions is not None:
            how = "chunks" if self.asset_partitions == "chunk" else "tiles"
        elif how == "auto":
            how = "tiles" if ledger.report.delivered <= most else "chunks"
        if how == "tiles":
            return [tile.to_record() for tile in ledger.tiles()]
        chunks = write_index(bucket_client(self.aws_conn_id), ledger, self.chunk_size, most)
        self.log.info("%d tiles are handed over in %d chunks", ledger.report.delivered, len(chunks))
        return chunks
