"""Tell Airflow's assets that a request has delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

# Airflow makes a run of each consuming Dag for each key.
_MOST_PARTITIONS = 1024
PARTITIONS = (None, "tile", "chunk")


def announce(
    context: Context,
    outlets: Sequence[Any],
    delivery: str,
    extra: Mapping[str, Any],
    keys: Sequence[str] = (),
) -> None:
    """Fill the events of a task's outlets: an asset gets the extra and the partition keys, an alias an asset
    of its own for the delivery.

    Raises `DefinitionError` for more partition keys than runs that anybody wants.
    """
    from airflow.sdk import Asset, AssetAlias

    if len(keys) > _MOST_PARTITIONS:
        problem = f"would make {len(keys)} partitions"
        raise DefinitionError(
            [Fault("asset_partitions", problem, "Choose 'chunk', or a larger chunk_size")],
            subject="hand-over",
        )
    events = context["outlet_events"]
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            events[outlet].add(Asset(delivery), extra=dict(extra))
        elif isinstance(outlet, Asset):
            events[outlet].extra.update(extra)
            if keys:
                events[outlet].add_partitions(list(keys))


def delivery_extra(definition: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an asset event says of a delivery: the result's figures and the time range asked for."""
    asked = (definition.get("processRequest") or {}).get("input", {}).get("data") or [{}]
    time_range = (asked[0].get("dataFilter") or {}).get("timeRange")
    return {**result, **({"time_range": time_range} if time_range else {})}
