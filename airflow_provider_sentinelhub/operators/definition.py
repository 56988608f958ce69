"""A batch request, as arguments of an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.operators.selection import SELECTION, SelectionOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_sentinelhub.client.batch import BatchClient
    from airflow_provider_sentinelhub.client.definition import BatchDefinition
    from airflow_provider_sentinelhub.hooks.geopackage import GeoPackageBuilder

# Those that a batch request has besides, in the order in which they are documented.
_ARGUMENTS = (
    *("tiling_grid_id", "resolution", "delivery_url", "delivery_aws_conn_id", "iam_role_arn"),
    *("delivery_gcp_conn_id", "delivery_region", "delivery", "buffer", "geopackage", "cog", "cog_parameters"),
    *("overwrite", "skip_existing", "create_collection", "collection_id", "zarr", "description"),
)


class DefinitionOperator(SelectionOperator):
    """Base of the operators that create a batch request.

    Takes the arguments of `SelectionOperator` and those below, which a ``definition`` may hold as well.
    Without one it needs ``evalscript``, ``area``, ``tiling_grid_id``, ``resolution`` and ``delivery_url``;
    in any case ``time_range`` and something that opens the bucket. All but ``evalscript``, ``check_write``
    and ``preflight`` are templated; text is read as the number, truth value, list or dict that it stands for.

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
    :param check_write: also write a tiny object into the delivery's folder, and delete it, before anything is
        created. Needs ``delivery_aws_conn_id``.
    :param dry_run: check everything and return what would be asked for: ``payload`` (without keys), ``tiles``
        or ``features`` (``count``, ``crs``, ``names``, ``pixels``), ``pixels`` and ``warnings``. Nothing is
        created, uploaded or paid. Kept as ``is_dry_run``: ``dry_run()`` is a method of Airflow's. (templated)
    :param preflight: try the evalscript on the worker before anything is created, where the ``evalscript``
        extra is installed; False leaves that to the service's analysis.
    """

    template_fields: Sequence[str] = (*_ARGUMENTS, "is_dry_run", *SelectionOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **SelectionOperator.template_fields_renderers,
        **dict.fromkeys(("geopackage", "cog_parameters", "zarr", "delivery"), "json"),
    }

    def __init__(
        self,
        *,
        tiling_grid_id: int | str | None = None,
        resolution: float | str | None = None,
        delivery_url: str | None = None,
        delivery_aws_conn_id: str | None = None,
        iam_role_arn: str | None = None,
        delivery_gcp_conn_id: str | None = None,
        delivery_region: str | None = None,
        delivery: Mapping[str, Any] | str | None = None,
        buffer: Sequence[int | str] | str | None = None,
        geopackage: Mapping[str, Any] | str | None = None,
        cog: bool | str | None = None,
        cog_parameters: Mapping[str, Any] | str | None = None,
        overwrite: bool | str | None = None,
        skip_existing: bool | str | None = None,
        create_collection: bool | str | None = None,
        collection_id: str | None = None,
        zarr: Mapping[str, Any] | str | None = None,
        description: str | None = None,
        check_write: bool = False,
        dry_run: bool | str = False,
        preflight: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.definition is None:
            needed = {
                "evalscript": self.evalscript,
                "area": geopackage if self.area is None else self.area,
                "tiling_grid_id": geopackage if tiling_grid_id is None else tiling_grid_id,
                "resolution": geopackage if resolution is None else resolution,
                "delivery_url": delivery if delivery_url is None else delivery_url,
            }
            missing = [name for name, given in needed.items() if given is None]
            if missing:
                # As Airflow puts it, while the Dag is read.
                raise TypeError(f"missing keyword argument {', '.join(map(repr, missing))}")
        self.tiling_grid_id = tiling_grid_id
        self.resolution = resolution
        self.delivery_url = delivery_url
        self.delivery_aws_conn_id = delivery_aws_conn_id
        self.iam_role_arn = iam_role_arn
        self.delivery_gcp_conn_id = delivery_gcp_conn_id
        self.delivery_region = delivery_region
        self.delivery = delivery
        self.buffer = buffer
        self.geopackage = geopackage
        self.cog = cog
        self.cog_parameters = cog_parameters
        self.overwrite = overwrite
        self.skip_existing = skip_existing
        self.create_collection = create_collection
        self.collection_id = collection_id
        self.zarr = zarr
        self.description = description
        self.check_write = check_write
        self.is_dry_run = dry_run
        self.preflight = preflight

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
        return {name: getattr(self, name) for name in (*SELECTION, *_ARGUMENTS)}

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
