"""Hands the tiles of one delivery to mapped tasks, which write down what they were handed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pendulum
from airflow.sdk import DAG, task

from airflow_provider_sentinelhub.sensors.tiles import SentinelHubTilesSensor

with DAG(
    dag_id="trial_chunks",
    schedule=None,
    start_date=pendulum.datetime(2020, 7, 1, tz="UTC"),
    catchup=False,
    is_paused_upon_creation=False,
    params={"request_id": "", "folder": ""},
) as dag:

    @task
    def process(item: dict[str, Any], **context: Any) -> int:
        """Write the names of the tiles that this task was handed."""
        from airflow_provider_sentinelhub.hooks.delivery import read_tiles

        names = [tile["name"] for tile in read_tiles(item)]
        path = Path(context["params"]["folder"]) / f"{context['ti'].map_index}.txt"
        path.write_text("\n".join(names))
        return len(names)

    tiles = SentinelHubTilesSensor(
        task_id="tiles", request_id="{{ params.request_id }}", poll_interval=5, deferrable=True
    )
    process.expand(item=tiles.output)
