"""What to compute, of which area and time: the arguments that batches and images share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_sentinelhub.operators.base import SentinelHubOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sentinelhub.hooks.opening import ObjectOpener

# In the order in which they are documented.
SELECTION = (
    *("evalscript", "area", "time_range", "collection", "max_cloud_coverage", "mosaicking_order"),
    *("data_filter", "processing", "sources", "outputs", "area_crs", "invalid_area", "area_tolerance"),
)


class SelectionOperator(SentinelHubOperator):
    """Base of the operators that have something computed.

    It is described by the arguments below, by a ``definition`` that holds values under the same names, or by
    both: arguments win. All but ``evalscript`` are templated; text is read as the number, list or dict that
    it stands for.

    :param evalscript: the script's text, or the path of a ``.js`` file, relative to the Dag's file or on its
        ``template_searchpath``. It is taken as it is and never rendered: JavaScript's braces are not
        Jinja's.
    :param area: GeoJSON Polygon or MultiPolygon, or a Feature of one, in lon/lat (CRS84); dict, text or the
        path of a file, found like that of the evalscript. Whatever else `Area.read` takes.
    :param time_range: first and last date or date-time, the last included, or one text ``first/last``; times
        without a zone are UTC.
    :param collection: data collection: its type or usual name (``sentinel-2-l1c``, ``Sentinel-2 L1C``), or
        ``byoc-<id>`` for one of your own. Default: ``sentinel-2-l2a``.
    :param max_cloud_coverage: percentage above which a scene is left out.
    :param mosaicking_order: ``mostRecent``, ``leastRecent`` or ``leastCC``.
    :param data_filter: further filters of the collection, under the service's names, such as
        ``{"orbitDirection": "ASCENDING"}``.
    :param processing: the collection's processing options, under the service's names, such as
        ``{"orthorectify": True}``.
    :param sources: for data fusion, instead of the five above: a list of dicts with their names and the
        ``id`` by which the evalscript calls the source; a ``time_range`` of its own wins.
    :param outputs: the evalscript's outputs that are wanted, as GeoTIFF unless said otherwise below, or a
        dict of output to MIME type. Default: ``default``.
    :param area_crs: CRS of an area that does not say it, such as ``EPSG:32633``.
    :param invalid_area: ``refuse``, the default, or ``repair`` an area that is not valid.
    :param area_tolerance: metres by which the area's outline may be simplified.
    :param definition: path of a YAML or JSON file, found like that of the evalscript, or a dict. Its names
        are those of the arguments. Paths in a file are relative to it. The path, and a dict but for its
        evalscript, are templated; a file's content is not. A Process API request is understood as well; its
        size is dropped.
    :param area_conn_id: connection for an area, features or a definition given as a URL: ``s3://`` (an AWS
        connection), ``gs://`` and whatever else Airflow's ObjectStoragePath opens. Without it, whatever
        credentials are found on the worker.
    """

    template_fields: Sequence[str] = (
        *(name for name in SELECTION if name != "evalscript"),
        *("definition", "area_conn_id", *SentinelHubOperator.template_fields),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("area", "outputs", "sources", "data_filter", "processing", "definition"), "json"
    )

    def __init__(
        self,
        *,
        evalscript: str | None = None,
        area: Any = None,
        time_range: Sequence[Any] | str | None = None,
        collection: str | None = None,
        max_cloud_coverage: float | str | None = None,
        mosaicking_order: str | None = None,
        data_filter: Mapping[str, Any] | str | None = None,
        processing: Mapping[str, Any] | str | None = None,
        sources: Sequence[Mapping[str, Any]] | str | None = None,
        outputs: Sequence[str] | Mapping[str, str] | str | None = None,
        area_crs: str | None = None,
        invalid_area: str | None = None,
        area_tolerance: float | str | None = None,
        definition: Mapping[str, Any] | str | None = None,
        area_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if evalscript is None and isinstance(definition, Mapping):
            # Out of reach of Jinja.
            evalscript = definition.get("evalscript")
            definition = {name: value for name, value in definition.items() if name != "evalscript"}
        self.evalscript = evalscript
        self.area = area
        self.time_range = time_range
        self.collection = collection
        self.max_cloud_coverage = max_cloud_coverage
        self.mosaicking_order = mosaicking_order
        self.data_filter = data_filter
        self.processing = processing
        self.sources = sources
        self.outputs = outputs
        self.area_crs = area_crs
        self.invalid_area = invalid_area
        self.area_tolerance = area_tolerance
        self.definition = definition
        self.area_conn_id = area_conn_id

    @cached_property
    def _opener(self) -> ObjectOpener:
        from airflow_provider_sentinelhub.hooks.opening import ObjectOpener

        return ObjectOpener(None if self.area_conn_id in ("", "None") else self.area_conn_id)

    def _folders(self) -> list[str]:
        """Return the folders in which a relative path is looked for."""
        if not self.has_dag():  # type: ignore[no-untyped-call]
            return []
        searched = self.dag.template_searchpath or ()
        return [self.dag.folder, *([searched] if isinstance(searched, str) else searched)]
