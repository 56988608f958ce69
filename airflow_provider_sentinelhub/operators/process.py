"""Render an image of an area while one waits: what a batch would deliver there, for next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.hooks.sentinelhub import failing_for_good
from airflow_provider_sentinelhub.links import store_dashboard
from airflow_provider_sentinelhub.operators.selection import SELECTION, SelectionOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.process import ProcessDefinition


class SentinelHubProcessOperator(SelectionOperator):
    """Render an image with the Process API and write it to a file; returns where, and what it has cost.

    The result is a dict: ``paths`` (output to path or URL), ``width`` and ``height`` (pixels) and
    ``processing_units`` (None where the service does not say). The image itself stays out of XCom.

    Each image costs width x height / 512² x input bands / 3 processing units (at least 0.005), twice as much
    as 32-bit TIFF, and with ORBIT or TILE mosaicking as many times as there are scenes. A retry renders the
    image anew, writes it to the same place and costs as much again; so does an answer that was lost on the
    way. What is wrong with the arguments or the place is said before anything is paid.

    Takes the arguments of `SelectionOperator`, which are those of a batch operator, and those below, which
    are templated, too: the image of a tile's bounds and size has the tile's values. The image shows the
    area's bounding box in its CRS; outside of the area there is no data. ``outputs`` that are only named
    become what the ending of ``path`` says, else GeoTIFF; a dict of them holds MIME types (``image/png``,
    ``image/jpeg``, ``image/tiff``, for ``userdata`` ``application/json``) or endings (``png``). Of a
    ``definition``, grid and delivery are not used.

    :param path: local path, or URL of an object storage, of the file. For several outputs, or if it ends with
        a slash, a folder in which each output has a file of its name. What is there is replaced.
    :param size: width and height in pixels, 1 to 2500 each.
    :param resolution: instead of ``size``: of a pixel, one number or those in x and y.
    :param resolution_unit: ``metre``, the default, or ``crs``, the unit of the area's CRS. Metres are counted
        in the area's UTM zone, which needs the ``geo`` extra unless the area is in UTM.
    :param storage_conn_id: connection for the object storage; for ``s3://`` an AWS connection, by default
        ``aws_default``.
    """

    template_fields: Sequence[str] = (
        *("path", "size", "resolution", "resolution_unit", "storage_conn_id"),
        *SelectionOperator.template_fields,
    )

    def __init__(
        self,
        *,
        path: str,
        size: Sequence[int] | str | None = None,
        resolution: float | Sequence[float] | str | None = None,
        resolution_unit: str = "metre",
        storage_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.size = size
        self.resolution = resolution
        self.resolution_unit = resolution_unit
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
            {name: getattr(self, name) for name in SELECTION},
            folders=self._folders(),
            opener=self._opener,
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
            findings = evalscript.check(
                definition.evalscript, sources=definition.collections, responses=definition.formats
            )
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


def _given(value: Any) -> Any:
    """Return None for what Jinja makes of nothing."""
    return None if value in ("", "None") else value
