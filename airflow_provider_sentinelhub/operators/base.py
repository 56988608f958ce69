"""What the operators share: the connection, the link, and the arguments that say what to compute."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_provider_sentinelhub.links import SentinelHubDashboardLink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_sentinelhub.client.batch import BatchClient
    from airflow_provider_sentinelhub.client.definition import BatchDefinition


class SentinelHubOperator(BaseOperator):
    """Base of all operators.

    :param sentinelhub_conn_id: the Sentinel Hub connection. (templated)
    """

    template_fields: Sequence[str] = ("sentinelhub_conn_id",)
    operator_extra_links = (SentinelHubDashboardLink(),)
    ui_color = "#dff2d8"

    def __init__(
        self, *, sentinelhub_conn_id: str = SentinelHubHook.default_conn_name, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sentinelhub_conn_id = sentinelhub_conn_id

    @cached_property
    def hook(self) -> SentinelHubHook:
        """The hook of ``sentinelhub_conn_id``."""
        return SentinelHubHook(self.sentinelhub_conn_id)


class DefinitionOperator(SentinelHubOperator):
    """Base of the operators that create a batch request, on a tiling grid and with raster output.

    :param evalscript: the script's text, or the path of a ``.js`` file, relative to the Dag's file or on its
        ``template_searchpath``. It is taken as it is and never rendered: JavaScript's braces are not Jinja's.
    :param area: GeoJSON Polygon or MultiPolygon, or a Feature of one, in lon/lat (CRS84); dict or text.
        (templated)
    :param time_range: first and last date or date-time, the last included; times without a zone are UTC.
        (templated)
    :param tiling_grid_id: id of the tiling grid. (templated)
    :param resolution: pixel size in the grid's unit, one of those that the grid offers. (templated)
    :param delivery_url: ``s3://bucket/prefix``, or a template with ``<requestId>``, ``<tileName>``,
        ``<outputId>`` and ``<format>``. (templated)
    :param delivery_aws_conn_id: AWS connection whose keys let the service write to the bucket. They go into
        the request at the last moment and nowhere else. (templated)
    :param iam_role_arn: role that the service assumes instead of keys. (templated)
    :param delivery_region: region of the bucket, where it is not the deployment's own. (templated)
    :param collection: data collection, such as ``sentinel-2-l1c``. (templated)
    :param outputs: the evalscript's outputs to deliver, as GeoTIFF, or a dict of output to MIME type.
        (templated)
    :param buffer: pixels added to each tile on both sides, in x and y.
    :param max_cloud_coverage: percentage above which a scene is left out. (templated)
    :param mosaicking_order: ``mostRecent``, ``leastRecent`` or ``leastCC``. (templated)
    :param cog: deliver cloud-optimised GeoTIFF.
    :param overwrite: do not fail because files exist.
    :param skip_existing: leave tiles out whose files all exist.
    :param description: free text kept with the request. (templated)
    :param preflight: try the evalscript on the worker before anything is created, where the ``evalscript``
        extra is installed; False leaves that to the service's analysis.
    """

    template_fields: Sequence[str] = (
        "area",
        "time_range",
        "tiling_grid_id",
        "resolution",
        "delivery_url",
        "delivery_aws_conn_id",
        "iam_role_arn",
        "delivery_region",
        "collection",
        "outputs",
        "max_cloud_coverage",
        "mosaicking_order",
        "description",
        *SentinelHubOperator.template_fields,
    )
    required: ClassVar[tuple[str, ...]] = (
        "evalscript",
        "area",
        "time_range",
        "tiling_grid_id",
        "resolution",
        "delivery_url",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"area": "json", "outputs": "json"}

    def __init__(
        self,
        *,
        evalscript: str,
        area: Mapping[str, Any] | str,
        time_range: Sequence[Any],
        tiling_grid_id: int | str,
        resolution: float | str,
        delivery_url: str,
        delivery_aws_conn_id: str | None = None,
        iam_role_arn: str | None = None,
        delivery_region: str | None = None,
        collection: str = "sentinel-2-l2a",
        outputs: Sequence[str] | Mapping[str, str] = ("default",),
        buffer: Sequence[int] = (0, 0),
        max_cloud_coverage: float | str | None = None,
        mosaicking_order: str | None = None,
        cog: bool = False,
        overwrite: bool = False,
        skip_existing: bool = False,
        description: str | None = None,
        preflight: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.evalscript = evalscript
        self.area = area
        self.time_range = time_range
        self.tiling_grid_id = tiling_grid_id
        self.resolution = resolution
        self.delivery_url = delivery_url
        self.delivery_aws_conn_id = delivery_aws_conn_id
        self.iam_role_arn = iam_role_arn
        self.delivery_region = delivery_region
        self.collection = collection
        self.outputs = outputs
        self.buffer = buffer
        self.max_cloud_coverage = max_cloud_coverage
        self.mosaicking_order = mosaicking_order
        self.cog = cog
        self.overwrite = overwrite
        self.skip_existing = skip_existing
        self.description = description
        self.preflight = preflight

    def _definition(self) -> BatchDefinition:
        from airflow_provider_sentinelhub.client.definition import BatchDefinition, Delivery
        from airflow_provider_sentinelhub.hooks.delivery import delivery_keys

        keys = delivery_keys(self.delivery_aws_conn_id) if self.delivery_aws_conn_id else None
        return BatchDefinition(
            evalscript=self._evalscript_text(),
            area=self.area,
            time_range=self.time_range,
            tiling_grid_id=_number(self.tiling_grid_id, int),
            resolution=_number(self.resolution, float),
            delivery=Delivery(
                self.delivery_url, keys, self.iam_role_arn or None, self.delivery_region or None
            ),
            collection=self.collection,
            outputs=self.outputs,
            buffer=self.buffer,
            max_cloud_coverage=_number(self.max_cloud_coverage, float),
            mosaicking_order=self.mosaicking_order,
            cog=self.cog,
            overwrite=self.overwrite,
            skip_existing=self.skip_existing,
            description=self.description,
        )

    def _check(self, definition: BatchDefinition, client: BatchClient) -> None:
        from airflow_provider_sentinelhub.client import evalscript
        from airflow_provider_sentinelhub.hooks.delivery import bucket_faults

        faults = list(definition.faults(list(client.iter_tiling_grids())))
        if self.preflight and evalscript.can_check() and definition.evalscript.strip():
            findings = evalscript.check(
                definition.evalscript,
                sources=[(definition.collection, None)],
                responses=definition.formats,
                cog=definition.cog,
            )
            faults += findings.faults
            for warning in findings.warnings:
                self.log.warning("Evalscript: %s", warning)
        if self.delivery_aws_conn_id and not any(fault.field == "delivery_url" for fault in faults):
            faults += bucket_faults(self.delivery_aws_conn_id, self.delivery_url)
        if faults:
            raise DefinitionError(faults)

    def _evalscript_text(self) -> str:
        """Return the script, read from its file where a path was given."""
        if "\n" in self.evalscript or not self.evalscript.endswith(".js"):
            return self.evalscript
        path = Path(self.evalscript)
        if path.is_absolute():
            folders = [path.parent]
        else:
            searched = self.dag.template_searchpath or ()
            folders = [
                Path(folder)
                for folder in (self.dag.folder, *([searched] if isinstance(searched, str) else searched))
            ]
        for folder in folders:
            if (folder / path).is_file():
                return (folder / path).read_text(encoding="utf-8")
        looked = ", ".join(map(str, folders))
        raise DefinitionError(
            [
                Fault(
                    "evalscript",
                    f"there is no file {self.evalscript!r} in {looked}",
                    "Give its path relative to the Dag's file, or the script's text",
                )
            ]
        )


def _number(value: Any, kind: Callable[[Any], Any]) -> Any:
    """Read the text that Jinja makes of a number; what is none is left for the check to name."""
    if not isinstance(value, str):
        return value
    try:
        return kind(value)
    except ValueError:
        return value
