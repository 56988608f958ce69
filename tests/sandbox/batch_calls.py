"""Calls of the Batch API as the sandbox's tests make them: plain HTTP, nothing of the package under test."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests
    from sandbox_driver import Sandbox

Json = dict[str, Any]

NDVI = """//VERSION=3
function setup() {
  return {input: ["B04", "B08", "dataMask"], output: {bands: 1, sampleType: "FLOAT32", nodataValue: NaN}};
}
function evaluatePixel(s) {
  return [s.dataMask ? (s.B08 - s.B04) / (s.B08 + s.B04) : NaN];
}
"""
GRID = {"type": "tiling-grid", "id": 1, "resolution": 20}  # UTM, tiles of 500 x 500 pixels
CALIFORNIA = [
    [-119.2089, 36.1383],
    [-119.1323, 36.098],
    [-119.1282, 35.9869],
    [-119.2264, 35.9532],
    [-119.3263, 35.9822],
    [-119.3488, 36.0899],
    [-119.2089, 36.1383],
]
FINAL = {"DONE", "FAILED", "STOPPED"}


def tiles_box(count: int) -> list[float]:
    """Return a box in so many tiles of the grid, in a row from west to east: 32TPR_0_9, 32TPR_1_9, …"""
    return [10.30, 45.185, 10.37 + 0.127 * (count - 1), 45.2]


class Batch:
    """The Batch API of a sandbox, with one token for all calls."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.renew()

    def renew(self) -> None:
        """Get a new token."""
        self.token = self.sandbox.token()

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Call any path below the new prefix."""
        return self.sandbox.call(method, f"/batch/v2{path}", token=self.token, **arguments)

    def body(self, *, tiles: int = 1, url: str | None = None, **changes: Any) -> Json:
        """Return a create body for so many small tiles; ``changes`` replace keys of the top level."""
        body = {
            "processRequest": {
                "input": {
                    "bounds": {"bbox": tiles_box(tiles)},
                    "data": [
                        {
                            "type": "sentinel-2-l2a",
                            "dataFilter": {
                                "timeRange": {"from": "2024-06-01T00:00:00Z", "to": "2024-06-30T23:59:59Z"}
                            },
                        }
                    ],
                },
                "output": {"responses": [{"identifier": "default", "format": {"type": "image/tiff"}}]},
                "evalscript": NDVI,
            },
            "input": GRID,
            "output": {"type": "raster", "delivery": {"s3": self.delivery(url)}},
        }
        return copy.deepcopy({**body, **changes})

    def delivery(self, url: str | None = None) -> dict[str, str]:
        """Return an S3 delivery with the keys of the Airflow connection."""
        return {
            "url": url or f"s3://{self.sandbox.bucket}/results",
            "accessKey": self.sandbox.access_key,
            "secretAccessKey": self.sandbox.secret_key,
        }

    def create(self, body: Json | None = None, **arguments: Any) -> str:
        """Create a request and return its id."""
        answer = self.call("POST", "/process", json=body or self.body(**arguments))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def get(self, request_id: str) -> Json:
        """Return a request."""
        answer = self.call("GET", f"/process/{request_id}")
        assert answer.status_code == 200, answer.text
        task: Json = answer.json()
        return task

    def act(self, request_id: str, action: str) -> requests.Response:
        """Analyse, start or stop."""
        return self.call("POST", f"/process/{request_id}/{action}")

    def accept(self, request_id: str, action: str) -> None:
        """Analyse, start or stop, and insist on it being accepted."""
        answer = self.act(request_id, action)
        assert (answer.status_code, answer.content) == (204, b""), answer.text

    def started(self, **arguments: Any) -> str:
        """Create and start a request, and return its id."""
        request_id = self.create(**arguments)
        self.accept(request_id, "start")
        return request_id

    def until(self, request_id: str, *statuses: str, timeout: float = 60) -> Json:
        """Poll until the request has one of these statuses (default: a final one) and return it."""
        wanted = set(statuses) or FINAL
        seen: list[str] = []

        def check() -> Json | None:
            task = self.get(request_id)
            seen.append(task["status"])
            assert task["status"] in wanted or task["status"] not in FINAL, task
            return task if task["status"] in wanted else None

        task: Json = self.sandbox.wait(check, timeout=timeout, what=f"{request_id} to be {wanted}")
        return task

    def until_percent(self, request_id: str, percent: int) -> Json:
        """Poll until so much of the request is done, and return it."""

        def check() -> Json | None:
            task = self.get(request_id)
            return task if task["completionPercentage"] == percent else None

        task: Json = self.sandbox.wait(check, what=f"{request_id} to be at {percent} %")
        return task

    def tiles(self, request_id: str, root: str = "results") -> list[str]:
        """Return the keys of the tiles delivered."""
        keys = self.sandbox.keys(f"{root}/{request_id}/")
        return sorted(key for key in keys if key.endswith(".tif"))


def put(body: Json, path: str, value: Any) -> Json:
    """Return a copy of a body with one place of it changed; ``...`` removes it."""
    body = copy.deepcopy(body)
    *parents, last = path.split("->")
    place: Any = body
    for key in parents:
        place = place[int(key) if key.isdecimal() else key]
    if value is ...:
        del place[last]
    else:
        place[int(last) if last.isdecimal() else last] = value
    return body


def error(answer: requests.Response, status: int) -> Json:
    """Return the error object of an answer that must have this status."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    body: Json = answer.json()["error"]
    assert body["status"] == status
    return body


def violations(answer: requests.Response) -> dict[str, str]:
    """Return the violations of a 400 by parameter."""
    return {item["parameter"]: item["violation"] for item in error(answer, 400)["errors"]}


def vendor_config(sandbox: Sandbox) -> Any:
    """Return a configuration of the vendor's client, without the tokens that earlier tests were given."""
    from sentinelhub.config import SHConfig
    from sentinelhub.download.sentinelhub_client import SentinelHubDownloadClient

    SentinelHubDownloadClient.clear_cache()
    config = SHConfig(use_defaults=True)
    config.sh_base_url, config.sh_token_url = sandbox.base_url, sandbox.token_url
    config.sh_client_id, config.sh_client_secret = sandbox.client_id, sandbox.client_secret
    return config
