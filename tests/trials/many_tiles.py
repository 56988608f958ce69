"""Hand many tiles to mapped tasks under Airflow's default limits; each has to be processed once.

    python tests/trials/many_tiles.py [--tiles 20000] [--render]

The tiles are laid on the bucket beforehand, and the request told to skip what exists; ``--render`` has the
sandbox render them all instead, which takes some minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from airflow_driver import AirflowStandalone
from sandbox_driver import Sandbox
from shapely import box
from support import NDVI, client_for

from airflow_provider_sentinelhub.client.geopackage import Feature, write_geopackage

DAGS = Path(__file__).parent / "dags"
PIXELS, METRES, A_ROW = 8, 80, 200


def main() -> int:
    """Make the request, hand its tiles over, and count what was processed."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--tiles", type=int, default=20_000)
    options.add_argument("--render", action="store_true")
    chosen = options.parse_args()
    wanted = chosen.tiles
    with tempfile.TemporaryDirectory(prefix="many-") as temporary:
        home = Path(temporary)
        with Sandbox(home / "sandbox") as sandbox:
            began = time.monotonic()
            request_id = delivered(sandbox, home, wanted, render=chosen.render)
            print(f"{wanted} tiles delivered after {time.monotonic() - began:.0f} s", flush=True)
            settings = {"AIRFLOW__CORE__DAGS_FOLDER": str(DAGS)}
            with AirflowStandalone(home / "airflow", sandbox.connections, **settings) as airflow:
                folder = home / "processed"
                folder.mkdir()
                began = time.monotonic()
                run = airflow.trigger("trial_chunks", {"request_id": request_id, "folder": str(folder)})
                state, _ = airflow.watch("trial_chunks", run, 1200)
                mapped = [t for t in airflow.tasks("trial_chunks", run) if t["task_id"] == "process"]
                print(airflow.logs("trial_chunks", run, "tiles")[-1500:])
        processed = Counter(name for path in folder.iterdir() for name in path.read_text().split())
    times = Counter(processed.values())
    print(
        f"run {state} after {time.monotonic() - began:.0f} s; {len(mapped)} mapped tasks; "
        f"{len(processed)} of {wanted} tiles processed, times processed: {dict(times)}"
    )
    return 0 if state == "success" and len(processed) == wanted and set(times) == {1} else 1


def delivered(sandbox: Sandbox, home: Path, count: int, *, render: bool) -> str:
    """Have so many small fields delivered; returns the request's id."""
    west, south = 270_000, 3_960_000
    path = home / "fields.gpkg"
    write_geopackage(
        path,
        (
            Feature(f"field-{n:05}", box(x, y, x + METRES, y + METRES), "EPSG:32611", PIXELS, PIXELS)
            for n in range(count)
            for x, y in [(west + n % A_ROW * METRES, south + n // A_ROW * METRES)]
        ),
    )
    sandbox.s3_client().upload_file(str(path), sandbox.bucket, "fields.gpkg")
    if not render:
        lay(sandbox, count)
    keys = {"accessKey": sandbox.access_key, "secretAccessKey": sandbox.secret_key}
    dates = {"from": "2020-07-01T00:00:00Z", "to": "2020-07-10T00:00:00Z"}
    client = client_for(sandbox)
    request = client.create(
        {
            "processRequest": {
                "input": {"data": [{"type": "sentinel-2-l1c", "dataFilter": {"timeRange": dates}}]},
                "output": {"responses": [{"identifier": "NDVI", "format": {"type": "image/tiff"}}]},
                "evalscript": NDVI,
            },
            "input": {
                "type": "geopackage",
                "features": {"s3": {"url": f"s3://{sandbox.bucket}/fields.gpkg", **keys}},
            },
            "output": {
                "type": "raster",
                "delivery": {
                    "s3": {"url": f"s3://{sandbox.bucket}/fields/<tileName>/<outputId>.tif", **keys}
                },
                "skipExisting": not render,
            },
        }
    )
    client.start(request.id)
    while (now := client.get(request.id)).raw_status != "DONE":
        if now.raw_status in ("FAILED", "STOPPED"):
            raise RuntimeError(f"{now}")
        time.sleep(5)
    return request.id


def lay(sandbox: Sandbox, count: int) -> None:
    """Put a file where each tile belongs."""
    s3 = sandbox.s3_client()

    def put(number: int) -> None:
        s3.put_object(
            Bucket=sandbox.bucket, Key=f"fields/field-{number:05}/NDVI.tif", Body=b"laid beforehand"
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(count)))


if __name__ == "__main__":
    sys.exit(main())
