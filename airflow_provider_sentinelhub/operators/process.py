"""Render an image of an area while one waits: what a batch would deliver there, for next to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.hooks.sentinelhub import failing_for_good
from airflow_provider_sentinelhub.links import store_dashboard
from airflow_provider_sentinelhub.operators.base import SentinelHubOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.process import ProcessDefinition

# What is shared with a batch request, in the order in which it is documented.
_SHARED = (
    *("evalscript", "area", "time_range", "collection", "max_cloud_coverage", "mosaicking_order"),
    *("data_filter", "processing", "sources", "outputs", "area_crs", "invalid_area", "area_tolerance"),
)


class SentinelHubProcessOperator(SentinelHubOperator):
    """Render an image with the Process API and write it to a file; returns where, and what it has cost.

    The result is a dict: ``paths`` (output to path or URL), ``width`` and ``height`` (pixels) and
    ``processing_units`` (None where the service does not say). The image itself stays out of XCom.

    Each image costs width x height / 512² x input bands / 3 processing units (at least 0.005), twice as much
    as 32-bit TIFF, and with ORBIT or TILE mosaicking as many times as there are scenes. A retry renders the
    image anew, writes it to the same place and costs as much again; so does an answer that was lost on the
    way. What is wrong with the arguments or the place is said before anything is paid.

    It takes what a batch operator takes, under the same names, a ``definition`` included: the image of a
    tile's bounds and size has the tile's values. All arguments but ``evalscript`` are templated; text is read
    as the number, list or dict that it stands for.

    :param path: local path, or URL of an object storage, of the file. For several outputs, or if it ends with
        a slash, a folder in which each output has a file of its name. What is there is replaced.
    :param size: width and height in pixels, 1 to 2500 each.
    :param resolution: instead of ``size``: of a pixel, one number or those in x and y.
    :param resolution_unit: ``metre``, the default, or ``crs``, the unit of the area's CRS. Metres are counted
        in the area's UTM zone, which needs the ``geo`` extra unless the area is in UTM.
    :param evalscript: the script's text, or the path of a ``.js`` file, relative to the Dag's file or on its
        ``template_searchpath``. Never rendered: JavaScript's braces are not Jinja's.
    :param area: GeoJSON in lon/lat, a box (minx, miny, maxx, maxy), or whatever else `Area.read` takes; dict,
        list, text or the path of a file. The image shows its bounding box in its CRS; outside of the area
        there is no data.
    :param time_range: first and last date or date-time, the last included, or one text ``first/last``; times
        without a zone are UTC.
    :param collection: data collection: its type or usual name. Default: ``sentinel-2-l2a``.
    :param max_cloud_coverage: percentage above which a scene is left out.
    :param mosaicking_order: ``mostRecent``, ``leastRecent`` or ``leastCC``.
    :param data_filter: further filters of the collection, under the service's names.
    :param processing: the collection's processing options, under the service's names.
    :param sources: for data fusion, instead of the five above: a list of dicts with their names and ``id``.
    :param outputs: the evalscript's outputs that are wanted, as the type that the ending of ``path`` says,
        else as GeoTIFF; or a dict of output to MIME type (``image/png``, ``image/jpeg``, ``image/tiff``, for
        ``userdata`` ``application/json``) or ending (``png``). Default: ``default``.
    :param area_crs: CRS of an area that does not say it, such as ``EPSG:32633``.
    :param invalid_area: ``refuse``, the default, or ``repair`` an area that is not valid.
    :param area_tolerance: metres by which the area's outline may be simplified.
    :param definition: a batch request's definition, as of the batch operators: path of a YAML or JSON file,
        or a dict. Its grid and its delivery are not used; arguments win.
    :param storage_conn_id: connection for the object storage; for ``s3://`` an AWS connection, by default
        ``aws_default``.
    """

    template_fields: Sequence[str] = (
        *("path", "size", "resolution", "resolution_unit"),
        *(name for name in _SHARED if name != "evalscript"),
        *("definition", "storage_conn_id", *SentinelHubOperator.template_fields),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        ("area", "outputs", "sources", "data_filter", "processing", "definition"), "json"
    )

    def __init__(
        self,
        *,
        path: str,
        size: Sequence[int] | str | None = None,
        resolution: float | Sequence[float] | str | None = None,
        resolution_unit: str = "metre",
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
        storage_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if evalscript is None and isinstance(definition, Mapping):
            # Out of reach of Jinja.
            evalscript = definition.get("evalscript")
            definition = {name: value for name, value in definition.items() if name != "evalscript"}
        self.path = path
        self.size = size
        self.resolution = resolution
        self.resolution_unit = resolution_unit
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
        self.storage_conn_id = storage_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Render the image and write it."""
        from airflow_provider_sentinelhub.hooks.storage import Storage

        storage = Storage(self.storage_conn_id or None)
        with failing_for_good():
            definition = self._definition()
            paths = self._paths(definition.formats)
            self._check(definition, storage)
            client = self.hook.process
            store_dashboard(context, client.session.deployment)
            images = client.process(definition.to_wire())
        storage.write({paths[name]: content for name, content in images.files.items()})
        width, height = definition.pixels
        cost = "" if images.processing_units is None else f" for {images.processing_units:.3f} PU"
        self.log.info("Image of %d x %d pixels%s: %s", width, height, cost, ", ".join(paths.values()))
        return {
            "paths": paths,
            "width": width,
            "height": height,
            "processing_units": images.processing_units,
        }

    def _definition(self) -> ProcessDefinition:
        from airflow_provider_sentinelhub.client.process import ProcessDefinition
        from airflow_provider_sentinelhub.client.process.formats import TIFF, format_of_path

        return ProcessDefinition.read(
            self.definition or {},
            {name: getattr(self, name) for name in _SHARED},
            folders=self._folders(),
            size=_given(self.size),
            resolution=_given(self.resolution),
            resolution_unit=self.resolution_unit,
            output_format=format_of_path(self.path) or TIFF,
        )

    def _paths(self, formats: Mapping[str, str]) -> dict[str, str]:
        """Return where the file of each output goes."""
        from airflow_provider_sentinelhub.client.process.images import file_name

        if len(formats) == 1 and not self.path.endswith("/"):
            return dict.fromkeys(formats, self.path)
        return {name: f"{self.path.rstrip('/')}/{file_name(name, kind)}" for name, kind in formats.items()}

    def _check(self, definition: ProcessDefinition, storage: Any) -> None:
        from airflow_provider_sentinelhub.client import evalscript
        from airflow_provider_sentinelhub.client.process.definition import SUBJECT

        faults = [*definition.faults(), *self._path_faults(definition.formats)]
        if evalscript.can_check() and definition.evalscript.strip():
            findings = evalscript.check(definition.evalscript, responses=definition.formats)
            faults += findings.faults
            for warning in findings.warnings:
                self.log.warning("Evalscript: %s", warning)
        if not any(fault.field in ("path", "outputs") for fault in faults):
            faults += storage.faults(list(self._paths(definition.formats).values()))
        if faults:
            raise DefinitionError(faults, SUBJECT)

    def _path_faults(self, formats: Mapping[str, str]) -> list[Fault]:
        from airflow_provider_sentinelhub.client.process.formats import format_of_path

        said = format_of_path(self.path)
        if not self.path.strip():
            return [Fault("path", "is empty", "Give a local path or a URL such as s3://bucket/preview.png")]
        if said and len(formats) > 1:
            return [Fault("path", f"{self.path} is one file, for {len(formats)} outputs", "Give a folder")]
        wrong = [kind for kind in formats.values() if said and kind != said]
        if wrong:
            problem = f"{self.path} is the name of an {said} file, while the output is {wrong[0]}"
            return [Fault("path", problem, "Change its ending, or the type in outputs")]
        return []

    def _folders(self) -> list[str]:
        """Return the folders in which a relative path is looked for."""
        if not self.has_dag():  # type: ignore[no-untyped-call]
            return []
        searched = self.dag.template_searchpath or ()
        return [self.dag.folder, *([searched] if isinstance(searched, str) else searched)]


def _given(value: Any) -> Any:
    """Return None for what Jinja makes of nothing."""
    return None if value in ("", "None") else value
