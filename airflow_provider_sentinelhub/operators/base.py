"""What the operators share: the connection, the link, and the arguments that say what to compute."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_provider_sentinelhub.links import SentinelHubDashboardLink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sentinelhub.client.batch import BatchClient
    from airflow_provider_sentinelhub.client.definition import BatchDefinition
    from airflow_provider_sentinelhub.hooks.geopackage import GeoPackageBuilder
    from airflow_provider_sentinelhub.hooks.opening import ObjectOpener

# What describes a batch request, in the order in which it is documented.
_ARGUMENTS = (
    *("evalscript", "area", "time_range", "tiling_grid_id", "resolution"),
    *("delivery_url", "delivery_aws_conn_id", "iam_role_arn", "delivery_gcp_conn_id", "delivery_region"),
    *("delivery", "collection", "max_cloud_coverage", "mosaicking_order", "data_filter", "processing"),
    *("sources", "outputs", "buffer", "geopackage", "area_crs", "invalid_area", "area_tolerance"),
    *("cog", "cog_parameters", "overwrite", "skip_existing", "create_collection", "collection_id"),
    *("zarr", "description"),
)


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
    """Base of the operators that create a batch request.

    A request is described by the arguments below, by a ``definition`` that holds values under the same names,
    or by both: arguments win. It needs ``evalscript``, ``area``, ``time_range``, ``tiling_grid_id``,
    ``resolution``, ``delivery_url`` and something that opens the bucket. All but ``evalscript`` are
    templated; text is read as the number, truth value, list or dict that it stands for.

    :param evalscript: the script's text, or the path of a ``.js`` file, relative to the Dag's file or on its
        ``template_searchpath``. It is taken as it is and never rendered: JavaScript's braces are not
        Jinja's.
    :param area: GeoJSON Polygon or MultiPolygon, or a Feature of one, in lon/lat (CRS84); dict, text or the
        path of a file, found like that of the evalscript. Whatever else `Area.read` takes.
    :param time_range: first and last date or date-time, the last included, or one text ``first/last``; times
        without a zone are UTC.
    :param tiling_grid_id: id of the tiling grid.
    :param resolution: pixel size in the grid's unit, one of those that the grid offers.
    :param delivery_url: ``s3://bucket/prefix`` or ``gs://bucket/prefix``, or a template with
        ``<requestId>``, ``<tileName>``, ``<outputId>`` and ``<format>``.
    :param delivery_aws_conn_id: AWS connection whose keys let the service write to the bucket. They go into
        the request at the last moment and nowhere else.
    :param iam_role_arn: role that the service assumes instead of keys.
    :param delivery_gcp_conn_id: Google Cloud connection whose service account lets the service write to a
        ``gs://`` bucket; handled like keys.
    :param delivery_region: region of the bucket, where it is not the deployment's own.
    :param delivery: the service's ``delivery`` object, passed on as it is, for what the five above cannot
        say. It must hold no secrets.
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
    :param outputs: the evalscript's outputs to deliver, as GeoTIFF, or a dict of output to MIME type.
        Default: ``default``.
    :param buffer: pixels added to each tile on both sides, in x and y.
    :param geopackage: render the features of a GeoPackage instead of a grid's tiles: its URL, or a dict with
        ``url``, for features without a size ``width`` and ``height`` (pixels) or ``resolution``, and
        ``aws_conn_id``, ``iam_role_arn``, ``gcp_conn_id`` and ``region`` where they are not the delivery's.
        ``area`` is then optional.
        Or a dict with ``features``, of which one is made: polygons as GeoJSON, path, URL or whatever else
        `Area.read` takes, with ``resolution`` (unit of the CRS), and if need be ``identifier`` (the property
        that tells them apart, ``id``), ``crs`` (else the UTM zone of each), ``grid_id`` (tiles of a grid
        instead), ``source_crs`` and ``invalid``. It is uploaded to ``geopackages`` beside the delivery, named
        after its content, with ``upload_conn_id``, else the connection that opens the bucket. At most 700,000
        features, 3500 pixels a side. Needs the ``geo`` extra.
    :param area_crs: CRS of an area that does not say it, such as ``EPSG:32633``.
    :param invalid_area: ``refuse``, the default, or ``repair`` an area that is not valid.
    :param area_tolerance: metres by which the area's outline may be simplified.
    :param cog: deliver cloud-optimised GeoTIFF.
    :param cog_parameters: how, under the service's names: ``{"blockxsize": 512, "overviewLevels": [2, 4]}``.
    :param overwrite: do not fail because files exist.
    :param skip_existing: leave tiles out whose files all exist.
    :param create_collection: ingest the tiles into a new collection of your own; needs ``cog``.
    :param collection_id: with ``create_collection``, the collection to add them to instead.
    :param zarr: deliver one Zarr: a dict with ``array_parameters`` (``dtype``, ``chunks``, ``fill_value``,
        ``compressor``), and if need be ``group`` and ``array_overrides`` (output to what differs). Needs a
        grid with one CRS.
    :param description: free text kept with the request.
    :param definition: path of a YAML or JSON file, found like that of the evalscript, or a dict. Its names
        are those of the arguments above. Paths in a file are relative to it. The path, and a dict but for
        its evalscript, are templated; a file's content is not. A Process API request is understood as well;
        its size is dropped.
    :param area_conn_id: connection for an area, features or a definition given as a URL: ``s3://`` (an AWS
        connection), ``gs://`` and whatever else Airflow's ObjectStoragePath opens. Without it, whatever
        credentials are found on the worker. (templated)
    :param check_write: also write a tiny object into the delivery's folder, and delete it, before anything is
        created. Needs ``delivery_aws_conn_id``.
    :param dry_run: check everything and return what would be asked for: ``payload`` (without keys), ``tiles``
        or ``features`` (``count``, ``crs``, ``names``, ``pixels``), ``pixels`` and ``warnings``. Nothing is
        created, uploaded or paid. Kept as ``is_dry_run``: ``dry_run()`` is a method of Airflow's. (templated)
    :param preflight: try the evalscript on the worker before anything is created, where the ``evalscript``
        extra is installed; False leaves that to the service's analysis.
    """

    template_fields: Sequence[str] = (
        *(name for name in _ARGUMENTS if name != "evalscript"),
        *("definition", "area_conn_id", "is_dry_run"),
        *SentinelHubOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(
        (
            *("area", "outputs", "sources", "data_filter", "processing", "geopackage", "cog_parameters"),
            *("zarr", "delivery", "definition"),
        ),
        "json",
    )

    def __init__(
        self,
        *,
        evalscript: str | None = None,
        area: Any = None,
        time_range: Sequence[Any] | str | None = None,
        tiling_grid_id: int | str | None = None,
        resolution: float | str | None = None,
        delivery_url: str | None = None,
        delivery_aws_conn_id: str | None = None,
        iam_role_arn: str | None = None,
        delivery_gcp_conn_id: str | None = None,
        delivery_region: str | None = None,
        delivery: Mapping[str, Any] | str | None = None,
        collection: str | None = None,
        max_cloud_coverage: float | str | None = None,
        mosaicking_order: str | None = None,
        data_filter: Mapping[str, Any] | str | None = None,
        processing: Mapping[str, Any] | str | None = None,
        sources: Sequence[Mapping[str, Any]] | str | None = None,
        outputs: Sequence[str] | Mapping[str, str] | None = None,
        buffer: Sequence[int | str] | str | None = None,
        geopackage: Mapping[str, Any] | str | None = None,
        area_crs: str | None = None,
        invalid_area: str | None = None,
        area_tolerance: float | str | None = None,
        cog: bool | str | None = None,
        cog_parameters: Mapping[str, Any] | str | None = None,
        overwrite: bool | str | None = None,
        skip_existing: bool | str | None = None,
        create_collection: bool | str | None = None,
        collection_id: str | None = None,
        zarr: Mapping[str, Any] | str | None = None,
        description: str | None = None,
        definition: Mapping[str, Any] | str | None = None,
        area_conn_id: str | None = None,
        check_write: bool = False,
        dry_run: bool | str = False,
        preflight: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if definition is None:
            needed = {
                "evalscript": evalscript,
                "area": geopackage if area is None else area,
                "tiling_grid_id": geopackage if tiling_grid_id is None else tiling_grid_id,
                "resolution": geopackage if resolution is None else resolution,
                "delivery_url": delivery if delivery_url is None else delivery_url,
            }
            missing = [name for name, given in needed.items() if given is None]
            if missing:
                # As Airflow puts it, while the Dag is read.
                raise TypeError(f"missing keyword argument {', '.join(map(repr, missing))}")
        if evalscript is None and isinstance(definition, Mapping):
            # Out of reach of Jinja.
            evalscript = definition.get("evalscript")
            definition = {name: value for name, value in definition.items() if name != "evalscript"}
        self.evalscript = evalscript
        self.area = area
        self.time_range = time_range
        self.tiling_grid_id = tiling_grid_id
        self.resolution = resolution
        self.delivery_url = delivery_url
        self.delivery_aws_conn_id = delivery_aws_conn_id
        self.iam_role_arn = iam_role_arn
        self.delivery_gcp_conn_id = delivery_gcp_conn_id
        self.delivery_region = delivery_region
        self.delivery = delivery
        self.collection = collection
        self.max_cloud_coverage = max_cloud_coverage
        self.mosaicking_order = mosaicking_order
        self.data_filter = data_filter
        self.processing = processing
        self.sources = sources
        self.outputs = outputs
        self.buffer = buffer
        self.geopackage = geopackage
        self.area_crs = area_crs
        self.invalid_area = invalid_area
        self.area_tolerance = area_tolerance
        self.cog = cog
        self.cog_parameters = cog_parameters
        self.overwrite = overwrite
        self.skip_existing = skip_existing
        self.create_collection = create_collection
        self.collection_id = collection_id
        self.zarr = zarr
        self.description = description
        self.definition = definition
        self.area_conn_id = area_conn_id
        self.check_write = check_write
        self.is_dry_run = dry_run
        self.preflight = preflight

    @cached_property
    def _opener(self) -> ObjectOpener:
        from airflow_provider_sentinelhub.hooks.opening import ObjectOpener

        return ObjectOpener(None if self.area_conn_id in ("", "None") else self.area_conn_id)

    def _definition(self, build: GeoPackageBuilder | None = None) -> BatchDefinition:
        from airflow_provider_sentinelhub.client.definition import BatchDefinition
        from airflow_provider_sentinelhub.hooks.delivery import credentials

        definition = BatchDefinition.read(
            self.definition or {},
            self._given(),
            folders=self._folders(),
            look_up=credentials,
            opener=self._opener,
            build=build,
        )
        for note in definition.notes:
            self.log.info("%s", note)
        return definition

    def _geopackage_builder(self) -> GeoPackageBuilder:
        from airflow_provider_sentinelhub.operators.trying import geopackage_builder

        return geopackage_builder(self._said, getattr(self, "aws_conn_id", None), self._opener)

    def _given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _ARGUMENTS}

    def _said(self, name: str) -> Any:
        """Return what was said under a name, as an argument or in the definition; None if nothing was."""
        from airflow_provider_sentinelhub.client.definition.reading import said

        known = said(self.definition or {}, self._given(), self._folders(), self._opener)
        return known.values.get(name)

    def _check(self, definition: BatchDefinition, client: BatchClient) -> list[str]:
        """Raise `DefinitionError` for all that is wrong; returns what is not checked or doubtful."""
        from airflow_provider_sentinelhub.operators.trying import evalscript_faults, storage_faults

        unchecked: list[str] = []
        faults = list(definition.faults(list(client.iter_tiling_grids())))
        faults += evalscript_faults(definition, unchecked, self.log, preflight=self.preflight)
        faults += storage_faults(definition, self._said, faults, unchecked, check_write=self.check_write)
        if faults:
            raise DefinitionError(faults)
        return unchecked

    def _wants_dry_run(self) -> bool:
        from airflow_provider_sentinelhub.client.definition.rules import flag

        faults: list[Fault] = []
        wanted = flag(self.is_dry_run, "dry_run", faults)
        if faults:
            # What cannot be read must not be paid for.
            raise DefinitionError(faults)
        return bool(wanted)

    def _dry_run(self) -> dict[str, Any]:
        """Check everything, and say what would be asked for."""
        from airflow_provider_sentinelhub.operators.trying import outline

        client = self.hook.client
        with self._geopackage_builder() as builder:
            definition = self._definition(builder)
            warnings = [*definition.notes, *self._check(definition, client)]
            grids = list(client.iter_tiling_grids())
            found = outline(definition, grids, builder, self._said, warnings)
        self.log.info("Dry run: nothing is created, nothing is paid.\n%s", found)
        return found.to_dict()

    def _folders(self) -> list[str]:
        """Return the folders in which a relative path is looked for."""
        if not self.has_dag():  # type: ignore[no-untyped-call]
            return []
        searched = self.dag.template_searchpath or ()
        return [self.dag.folder, *([searched] if isinstance(searched, str) else searched)]
