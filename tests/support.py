"""Small requests that tests make, and the ways in which they make them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.batch import BatchClient
from airflow_provider_sentinelhub.client.definition import BatchDefinition, BucketKeys, Delivery
from airflow_provider_sentinelhub.client.deployments import Credentials, deployment
from airflow_provider_sentinelhub.client.judge import reached
from airflow_provider_sentinelhub.client.models import BatchRequest, BatchStatus
from airflow_provider_sentinelhub.client.retries import Backoff

if TYPE_CHECKING:
    from sandbox_driver import Sandbox

QUICK = Backoff(attempts=6, first=0.02, longest=0.2)

NDVI = """//VERSION=3
function setup() {
  return {input: ["B04", "B08"], output: {id: "NDVI", bands: 1, sampleType: "FLOAT32"}};
}
function evaluatePixel(s) { return {NDVI: [(s.B08 - s.B04) / (s.B08 + s.B04)]}; }
"""


def box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    """Return a GeoJSON rectangle in lon/lat."""
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


ONE_TILE = box(-119.24, 36.05, -119.23, 36.06)
FOUR_TILES = box(-119.25, 36.0, -119.15, 36.1)


def client_for(sandbox: Sandbox, **options: Any) -> BatchClient:
    """Return our client of the sandbox, impatient as tests are."""
    where = deployment("custom", base_url=sandbox.base_url, token_url=sandbox.token_url)
    options.setdefault("backoff", QUICK)
    return BatchClient(where, Credentials(sandbox.client_id, sandbox.client_secret), **options)


def definition(sandbox: Sandbox, **changes: Any) -> BatchDefinition:
    """Return a sound definition, small and quick to process."""
    fields: dict[str, Any] = {
        "evalscript": NDVI,
        "area": ONE_TILE,
        "time_range": ("2020-07-01", "2020-07-31"),
        "tiling_grid_id": 1,
        "resolution": 20,
        "delivery": Delivery(
            f"s3://{sandbox.bucket}/tests", BucketKeys(sandbox.access_key, sandbox.secret_key)
        ),
        "collection": "sentinel-2-l1c",
        "outputs": ["NDVI"],
    }
    return BatchDefinition(**{**fields, **changes})


def created(client: BatchClient, sandbox: Sandbox, **changes: Any) -> str:
    """Create a small request; returns its id."""
    return client.create(definition(sandbox, **changes).to_wire()).id


def wait_for(client: BatchClient, request_id: str, status: str = "DONE", seconds: float = 60) -> BatchRequest:
    """Poll until a status is reached; raises what ends the request."""
    end = time.monotonic() + seconds
    while True:
        request = client.get(request_id)
        if reached(request, BatchStatus(status)):
            return request
        assert time.monotonic() < end, request
        time.sleep(0.05)


def starts(sandbox: Sandbox, request_id: str) -> int:
    """Return how many starts of a request the sandbox has accepted."""
    return int(sandbox.journal()["requests"][request_id]["starts"])


def secrets_of(sandbox: Sandbox) -> list[str]:
    """Return what must be found nowhere: client secret, a token, both bucket keys."""
    return [sandbox.client_secret, sandbox.token(), sandbox.access_key, sandbox.secret_key]


def connection_json(**fields: Any) -> str:
    """Return an Airflow connection as an environment variable holds it."""
    return json.dumps(fields)


def answers(sandbox: Sandbox, method: str, ending: str) -> list[int]:
    """Return the statuses with which calls were answered; 0 is a dropped connection."""
    return [
        call["status"]
        for call in sandbox.journal()["calls"]
        if call["method"] == method and call["path"].endswith(ending)
    ]
