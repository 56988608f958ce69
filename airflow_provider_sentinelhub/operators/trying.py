"""What is tried before anything is created: evalscript, buckets, and what a request would compute."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_sentinelhub.client.definition import BatchDefinition
    from airflow_provider_sentinelhub.client.errors import Fault
    from airflow_provider_sentinelhub.client.models import TilingGrid
    from airflow_provider_sentinelhub.client.opening import Opener
    from airflow_provider_sentinelhub.client.outline import Outline, Pieces
    from airflow_provider_sentinelhub.hooks.geopackage import GeoPackageBuilder

# Returns what the author has said under a name.
Said = Callable[[str], Any]


def geopackage_builder(said: Said, aws_conn_id: str | None, opener: Opener) -> GeoPackageBuilder:
    """Return what makes a GeoPackage of the author's features, and uploads it beside the delivery."""
    from airflow_provider_sentinelhub.client.delivery.folder import root_of
    from airflow_provider_sentinelhub.hooks.geopackage import GeoPackageBuilder

    url = str(said("delivery_url") or _first_url(said("delivery")))
    given = _geopackage(said)
    access = ("gcp_conn_id", "delivery_gcp_conn_id") if url.startswith("gs://") else _AWS
    conn_id = given.get("upload_conn_id") or given.get(access[0]) or said(access[1])
    folder = f"{root_of(url)}/geopackages" if url else ""
    return GeoPackageBuilder(folder, conn_id or aws_conn_id, opener)


def evalscript_faults(
    definition: BatchDefinition, doubts: list[str], log: Any, *, preflight: bool
) -> Sequence[Fault]:
    """Name what is wrong with the evalscript, as far as it can be tried here."""
    from airflow_provider_sentinelhub.client import evalscript

    if not (preflight and evalscript.can_check()):
        doubts.append("The evalscript is not tried here: that needs preflight, and the extra evalscript.")
        return ()
    if not definition.evalscript.strip():
        return ()
    findings = evalscript.check(
        definition.evalscript,
        sources=definition.collections,
        responses=definition.formats,
        output="raster" if definition.zarr is None else "zarr",
        cog=bool(definition.cog),
        dtypes=definition.dtypes,
    )
    for warning in findings.warnings:
        log.warning("Evalscript: %s", warning)
        doubts.append(f"Evalscript: {warning}")
    return findings.faults


def storage_faults(
    definition: BatchDefinition,
    said: Said,
    known: Sequence[Fault],
    unchecked: list[str],
    *,
    check_write: bool,
) -> Iterator[Fault]:
    """Name what is wrong with the buckets, as far as what is known to be wrong lets them be asked."""
    from airflow_provider_sentinelhub.hooks.rights import bucket_faults, read_faults, write_faults

    wrong = [fault.field for fault in known]
    conn_id, url = said(_AWS[1]), definition.delivery.url
    if any(field.startswith("delivery_") for field in wrong):
        return
    if conn_id:
        found = list(bucket_faults(conn_id, url))
        if check_write and not found:
            found += write_faults(conn_id, url)
        yield from found
        wrong += [fault.field for fault in found]
    elif check_write:
        unchecked.append("check_write does nothing without delivery_aws_conn_id: only that could be tried.")
    name, conn_id = _reader(said)
    given = definition.geopackage
    if any(field.startswith("geopackage") or field == name for field in wrong):
        return
    if given is not None and given.scheme == "s3" and conn_id and "features" not in _geopackage(said):
        yield from read_faults(conn_id, given.url, ("geopackage.url", name))


def outline(
    definition: BatchDefinition,
    grids: Sequence[TilingGrid],
    builder: GeoPackageBuilder,
    said: Said,
    warnings: list[str],
) -> Outline:
    """Work out what a sound request would compute; adds to what to be aware of."""
    from airflow_provider_sentinelhub.client.outline import Outline, tiles_in

    wire = definition.without_keys().to_wire()
    tiles = features = None
    if definition.geopackage is None:
        tiles = tiles_in(wire, grids, warnings)
    else:
        features = _features(wire, definition.geopackage.url, builder, said, warnings)
    return Outline(wire, tiles, features, warnings)


def _features(
    wire: Mapping[str, Any], url: str, builder: GeoPackageBuilder, said: Said, warnings: list[str]
) -> Pieces | None:
    from airflow_provider_sentinelhub.client.errors import DefinitionError
    from airflow_provider_sentinelhub.client.outline import features_in
    from airflow_provider_sentinelhub.hooks.opening import ObjectOpener

    if builder.path is not None:
        return features_in(wire, builder.path, warnings)
    conn_id = _reader(said)[1] if url.startswith("s3://") else _geopackage(said).get("gcp_conn_id")
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "features.gpkg"
            path.write_bytes(ObjectOpener(conn_id)(url))
            return features_in(wire, path, warnings)
    except DefinitionError as error:
        warnings.append(f"The features of {url} are not known here: {error.faults[0].problem}.")
        return None


_AWS = ("aws_conn_id", "delivery_aws_conn_id")


def _geopackage(said: Said) -> Mapping[str, Any]:
    given = said("geopackage")
    return given if isinstance(given, Mapping) else {}


def _reader(said: Said) -> tuple[str, str | None]:
    """Return the connection with which the service reads a GeoPackage, after what the author calls it."""
    own = _geopackage(said).get(_AWS[0])
    return ("geopackage.aws_conn_id", str(own)) if own else (_AWS[1], said(_AWS[1]))


def _first_url(delivery: Any) -> str:
    from airflow_provider_sentinelhub.client.definition import OtherDelivery

    return OtherDelivery(delivery).url if isinstance(delivery, Mapping) else ""
