"""The vendor's own client, which knows nothing of the sandbox, walks through the life of a request."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox.batch_calls import CALIFORNIA, NDVI, vendor_config
from sandbox.geopackages import Layer, write_geopackage
from sandbox_driver import Sandbox
from shapely.geometry import Polygon, box


@pytest.fixture
def client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The client, set up by nothing but two addresses and the credentials."""
    monkeypatch.setitem(os.environ, "OAUTHLIB_INSECURE_TRANSPORT", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentinelhub.api.batch.process import BatchProcessClient

        yield BatchProcessClient(config=vendor_config(sandbox))


def process_request(client: Any) -> Any:
    """Say what is to be processed, as the vendor's tutorial does."""
    from sentinelhub.api.process import SentinelHubRequest
    from sentinelhub.constants import CRS, MimeType
    from sentinelhub.data_collections import DataCollection
    from sentinelhub.geometry import Geometry

    return SentinelHubRequest(
        evalscript=NDVI,
        input_data=[
            SentinelHubRequest.input_data(
                data_collection=DataCollection.SENTINEL2_L1C, time_interval=("2020-07-01", "2020-07-30")
            )
        ],
        responses=[SentinelHubRequest.output_response("default", MimeType.TIFF)],
        geometry=Geometry({"type": "Polygon", "coordinates": [CALIFORNIA]}, crs=CRS.WGS84),
        config=client.config,
    )


def request_in(client: Any, sandbox: Sandbox, source: Any = None, **options: Any) -> Any:
    """Create a request as the vendor's tutorial does."""
    return client.create(
        process_request(client),
        input=source or client.tiling_grid_input(grid_id=1, resolution=20),
        output=client.raster_output(
            delivery=client.s3_specification(
                url=f"s3://{sandbox.bucket}/vendor",
                access_key=sandbox.access_key,
                secret_access_key=sandbox.secret_key,
            ),
            cog_output=True,
        ),
        **options,
    )


def test_tiling_grids(client: Any) -> None:
    grids = list(client.iter_tiling_grids())
    assert [grid["id"] for grid in grids] == [0, 1, 2, 3, 6, 7]
    assert client.get_tiling_grid(3) == grids[3]


def test_the_walk_of_the_tutorial(client: Any, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    from sentinelhub.api.batch import utils
    from sentinelhub.api.batch.base import BatchRequestStatus, BatchUserAction

    created = request_in(client, sandbox, description="vendor")
    assert created.status is BatchRequestStatus.CREATED
    assert created.request_id in {request.request_id for request in client.iter_requests(search="vendor")}
    client.update_request(created, description="the vendor's")
    assert client.get_request(created).request["description"] == "the vendor's"
    client.start_analysis(created)
    monkeypatch.setattr(utils, "_MIN_SLEEP_TIME", 0)
    monkeypatch.setattr(utils, "_MIN_ANALYSIS_SLEEP_TIME", 0)
    analysed = utils.monitor_batch_process_analysis(created, client, sleep_time=0)
    assert analysed.status is BatchRequestStatus.ANALYSIS_DONE
    client.start_job(created)
    done = utils.monitor_batch_process_job(created, client, sleep_time=0, analysis_sleep_time=0)
    assert done.status is BatchRequestStatus.DONE
    assert done.user_action is BatchUserAction.START
    assert done.cost_PU == 100
    assert len([key for key in sandbox.keys(f"vendor/{done.request_id}/") if key.endswith(".tif")]) == 8


def test_a_geopackage(client: Any, sandbox: Sandbox, tmp_path: Path) -> None:
    from sentinelhub.api.batch.base import BatchRequestStatus

    inside = Polygon([(-119.25, 36.0), (-119.249, 36.0), (-119.25, 36.001)])
    outside = box(-118.25, 36.0, -118.249, 36.001)
    rows = [
        {"identifier": name, "geometry": geometry, "resolution": 0.0001}
        for name, geometry in (("in", inside), ("out", outside))
    ]
    write_geopackage(tmp_path / "fields.gpkg", Layer(rows, epsg=4326))
    sandbox.s3_client().upload_file(str(tmp_path / "fields.gpkg"), sandbox.bucket, "vendor.gpkg")
    source = client.geopackage_input(
        client.s3_specification(
            url=f"s3://{sandbox.bucket}/vendor.gpkg",
            access_key=sandbox.access_key,
            secret_access_key=sandbox.secret_key,
        )
    )
    request = request_in(client, sandbox, source)
    client.start_job(request)
    sandbox.wait(lambda: client.get_request(request).status is BatchRequestStatus.DONE)
    tiles = [key for key in sandbox.keys(f"vendor/{request.request_id}/") if key.endswith(".tif")]
    assert tiles == [f"vendor/{request.request_id}/in/default.tif"]


def test_a_stop(client: Any, sandbox: Sandbox) -> None:
    from sentinelhub.api.batch.base import BatchRequestStatus, StoppedStatusReason
    from sentinelhub.exceptions import DownloadFailedException

    sandbox.steer(processing={"seconds": 10_000})
    request = request_in(client, sandbox)
    client.start_job(request)
    sandbox.wait(lambda: client.get_request(request).status is BatchRequestStatus.PROCESSING)
    client.stop_job(request)
    sandbox.wait(lambda: client.get_request(request).status is BatchRequestStatus.STOPPED)
    assert client.get_request(request).stopped_status_reason is StoppedStatusReason.USER_ACTION
    with pytest.raises(DownloadFailedException, match="30 minutes"):
        client.start_job(request)


def test_zarr_output(client: Any, sandbox: Sandbox) -> None:
    from sentinelhub.api.batch.base import BatchRequestStatus
    from sentinelhub.exceptions import DownloadFailedException

    # Its class for requests does not know the format, so its users send a dictionary.
    process = process_request(client).download_list[0].post_values
    process["output"]["responses"] = [{"identifier": "default", "format": {"type": "zarr/array"}}]
    parameters = {"dtype": "<f4", "chunks": [1, 125, 125], "fill_value": "NaN"}

    def created(**array_parameters: Any) -> Any:
        delivery = client.s3_specification(
            url=f"s3://{sandbox.bucket}/vendor-zarr",
            access_key=sandbox.access_key,
            secret_access_key=sandbox.secret_key,
        )
        return client.create(
            process,
            input=client.tiling_grid_input(grid_id=3, resolution=0.008),
            output=client.zarr_output(delivery=delivery, group={"zarr_format": 2}, **array_parameters),
        )

    # The client sends its own parameter under a name that the service does not know.
    with pytest.raises(DownloadFailedException, match="arrayParameters->dtype"):
        created(array_parameters=parameters)
    request = created(arrayParameters=parameters)
    client.start_job(request)
    sandbox.wait(lambda: client.get_request(request).status is BatchRequestStatus.DONE)
    assert sandbox.has("vendor-zarr/.zmetadata")
    chunks = {key for key in sandbox.keys("vendor-zarr/default/") if "/0." in key}
    assert chunks == {f"vendor-zarr/default/0.{row}.0" for row in range(2)}
