"""The price of a batch request: of a definition before it is created, of a request after its analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.delivery.folder import DeliveryFolder
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.price.estimate import Estimate, Range, Stage, Tally
from airflow_provider_sentinelhub.client.price.manifest import open_manifest
from airflow_provider_sentinelhub.client.price.places import Features, hull
from airflow_provider_sentinelhub.client.price.plan import Plan, Source, read_plan
from airflow_provider_sentinelhub.client.price.planned import FileFeatures, GridTiles
from airflow_provider_sentinelhub.client.price.revisit import RevisitDepths
from airflow_provider_sentinelhub.client.price.scenes import FindScenes, Scene, SceneDepths

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from mypy_boto3_s3 import S3Client
    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.client.evalscript import Setup
    from airflow_provider_sentinelhub.client.models import BatchRequest
    from airflow_provider_sentinelhub.client.price.places import Places


def price_definition(
    wire: Mapping[str, Any],
    *,
    scenes: Iterable[Scene] | FindScenes | None = None,
    geopackage: str | os.PathLike[str] | None = None,
    script: Setup | None = None,
) -> Estimate:
    """Estimate a request that does not exist yet.

    ``wire`` is the body of its create call. ``scenes`` are those of its area and time, for a request of one
    collection, or a function that finds them (called for each source that has dates); without them it is
    assumed how often satellites come by.
    ``geopackage`` is the file of features on this machine. ``script`` says what the evalscript's ``setup()``
    does; else that is run. `DefinitionError` names what keeps the request from being priced.
    """
    plan = read_plan(wire, script)
    if plan.grid is not None:
        return _estimate(plan, GridTiles(plan), scenes, "before creation")
    if geopackage is None:
        raise DefinitionError(
            [Fault("geopackage", "its features are not known here", "Give the path of the file")], "price"
        )
    return _estimate(plan, FileFeatures(geopackage, plan), scenes, "before creation")


def price_request(
    s3: S3Client,
    request: BatchRequest,
    *,
    scenes: Iterable[Scene] | FindScenes | None = None,
    script: Setup | None = None,
    folder: DeliveryFolder | None = None,
) -> Estimate:
    """Estimate a request that was analysed, by what its feature manifest on the bucket lists.

    ``scenes`` and ``script`` as for `price_definition`; ``folder`` where the manifest is, if known otherwise.
    Raises `DefinitionError` if the service's echo is not enough to go by, `UnreadableDeliveryError` if there
    is no manifest of the service's, botocore's ``ClientError`` when the bucket cannot be read.
    """
    plan = read_plan(request.definition, script)
    with open_manifest(s3, folder or DeliveryFolder.of(request), request.id, plan) as features:
        return _estimate(plan, features, scenes, "after the analysis")


def _estimate(
    plan: Plan, features: Features, scenes: Iterable[Scene] | FindScenes | None, stage: Stage
) -> Estimate:
    depths = _depths(plan, features, scenes)
    tally = Tally(plan.terms)
    # Nothing to learn from where they are: they need not be looked at one by one.
    if all(isinstance(depth, RevisitDepths) and depth.same_everywhere for depth in depths):
        for width, height, count in features.sizes():
            tally.add(width, height, count, Range(0 if _may_be_free(plan) else count, count, count))
    else:
        for places in features.places():
            _add(tally, places, _together([depth.of(places) for depth in depths], plan))
    return tally.estimate((*_assumptions(plan, depths), *features.notes), stage)


def _depths(
    plan: Plan, features: Features, scenes: Iterable[Scene] | FindScenes | None
) -> list[SceneDepths | RevisitDepths]:
    if scenes is None:
        return [RevisitDepths(source) for source in plan.sources]
    if callable(scenes):
        area = hull(features)
        return [
            SceneDepths(one, scenes(one, area)) if _is_dated(one) else RevisitDepths(one)
            for one in plan.sources
        ]
    if len(plan.sources) > 1:
        problem = "a list cannot tell the scenes of several collections apart"
        raise DefinitionError([Fault("scenes", problem, "Give a function that finds them")], "price")
    return [SceneDepths(plan.sources[0], scenes)]


def _is_dated(source: Source) -> bool:
    return source.collection != "dem" and None not in (source.start, source.end)


def _together(depths: list[NDArray[Any]], plan: Plan) -> NDArray[Any]:
    """Return low, likely and high of all sources (3 x n)."""
    import numpy as np

    stacked = np.stack(depths)
    low = np.zeros_like(stacked[0, 0]) if _may_be_free(plan) else stacked[:, 0].min(axis=0)
    return np.stack((low, stacked[:, 1].mean(axis=0), stacked[:, 2].max(axis=0)))


def _add(tally: Tally, places: Places, depths: NDArray[Any]) -> None:
    import numpy as np

    sizes, position = np.unique(places.sizes, axis=0, return_inverse=True)
    position = position.reshape(-1)  # NumPy 2.0 gave it another shape
    sums = [np.bincount(position, weights=row, minlength=len(sizes)) for row in depths]
    counts = np.bincount(position, minlength=len(sizes))
    for (width, height), count, low, likely, high in zip(sizes, counts, *sums, strict=True):
        tally.add(int(width), int(height), int(count), Range(float(low), float(likely), float(high)))


def _may_be_free(plan: Plan) -> bool:
    return plan.filters_scenes or plan.skips_existing


def _assumptions(plan: Plan, depths: list[SceneDepths | RevisitDepths]) -> Iterable[str]:
    yield "Every tile is priced by itself, at 0.01 of 512 x 512 pixels or more."
    if plan.mixes_formats:
        yield "Outputs of 32-bit floats and of at most 16 bits are mixed: all are charged as the dearest."
    if plan.is_zarr:
        yield "Zarr arrays are charged as TIFFs of the same sample type."
    if len(plan.sources) > 1:
        yield (
            "Data fusion: all collections are on the deployment that is called; samples are their mean, "
            "those of the sparsest (low) or densest (high)."
        )
    if plan.filters_scenes:
        yield "The script's preProcessScenes is taken to keep all scenes; if it keeps none, see low."
    if plan.skips_existing:
        yield "No tile is on the bucket already; those that are cost nothing, see low."
    for source, depth in zip(plan.sources, depths, strict=True):
        if isinstance(depth, RevisitDepths):
            yield depth.assumption()
        else:
            yield (
                f"{source.collection}: samples are counted by the footprints of its {depth.count:,} scenes: "
                "where fewest overlap on each tile (low), on average, where most do (high)."
            )
            yield "Tiles without any scene cost nothing, or as one sample (high)."
        if source.other_filters:
            yield f"{source.collection}: the filter by {', '.join(source.other_filters)} was not applied."
