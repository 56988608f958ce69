"""The Process API: images while one waits."""

from __future__ import annotations

import io
import json
import os
import tarfile
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import requests
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from sandbox.batch_calls import NDVI, Batch, error, vendor_config, violations
from sandbox_driver import Sandbox

from airflow_provider_sentinelhub.sandbox.grids import SUPPORTED_CRS

UTM32 = "http://www.opengis.net/def/crs/EPSG/0/32632"
BOX = [600_000.0, 5_000_000.0, 602_000.0, 5_002_000.0]
COLOUR = """//VERSION=3
function setup() {
  return {input: ["B02", "B03", "B04", "dataMask"],
          output: [{id: "default", bands: 3}, {id: "mask", bands: 1, sampleType: "UINT8"}],
          mosaicking: "ORBIT"};
}
function evaluatePixel(s) {
  const one = s[0];
  return {default: [3 * one.B04, 3 * one.B03, 3 * one.B02], mask: [one.dataMask]};
}
function updateOutputMetadata(scenes, _, out) {
  out.userData = scenes.orbits.flatMap(orbit => orbit.tiles.map(tile => [tile.dataPath, tile.cloudCoverage]));
}
"""


def body(**output: Any) -> dict[str, Any]:
    return {
        "input": {
            "bounds": {"bbox": BOX, "properties": {"crs": UTM32}},
            "data": [
                {
                    "type": "sentinel-2-l2a",
                    "dataFilter": {
                        "timeRange": {"from": "2024-06-01T00:00:00Z", "to": "2024-06-10T23:59:59Z"}
                    },
                }
            ],
        },
        "output": {"width": 100, "height": 100, **output},
        "evalscript": COLOUR,
    }


def responses(**formats: str) -> list[dict[str, Any]]:
    return [{"identifier": name, "format": {"type": mime}} for name, mime in formats.items()]


def ask(sandbox: Sandbox, request: Any, path: str = "/process/v1", **arguments: Any) -> requests.Response:
    return sandbox.call("POST", path, json=request, **arguments)


def pixels(content: bytes) -> np.ndarray[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(content) as file, file.open() as dataset:
            read: np.ndarray[Any, Any] = dataset.read()
    return read


def image(answer: requests.Response, mime: str = "image/tiff") -> np.ndarray[Any, Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == mime
    return pixels(answer.content)


def members(answer: requests.Response) -> dict[str, bytes]:
    assert answer.status_code == 200, answer.text
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        return {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]


def balance(sandbox: Sandbox) -> float:
    accounts = requests.get(f"{sandbox.base_url}/sandbox/accounts", timeout=30).json()["data"]
    return float(accounts[0]["balance_pu"])


def test_the_default_is_a_png_of_256_pixels(sandbox: Sandbox) -> None:
    request = body()
    del request["output"]
    for path in ("/process/v1", "/api/v1/process", "/process/v1/"):
        picture = image(ask(sandbox, request, path), "image/png")
        assert picture.shape == (3, 256, 256)
    assert picture.std() > 1


@pytest.mark.parametrize(("mime", "tolerance"), [("image/tiff", 0), ("image/png", 0), ("image/jpeg", 6)])
def test_image_types(sandbox: Sandbox, mime: str, tolerance: float) -> None:
    exact = image(ask(sandbox, body(responses=responses(default="image/tiff"))))
    shown = image(ask(sandbox, body(responses=responses(default=mime))), mime)
    assert np.abs(shown.astype(int) - exact).mean() <= tolerance
    # Accept has priority over the body.
    assert np.array_equal(image(ask(sandbox, body(), headers={"Accept": mime}), mime), shown)


def test_a_tiff_is_georeferenced(sandbox: Sandbox) -> None:
    answer = ask(sandbox, body(responses=responses(default="image/tiff")))
    with MemoryFile(answer.content) as file, file.open() as dataset:
        assert list(dataset.bounds) == BOX
        assert dataset.crs.to_epsg() == 32632
        assert dataset.shape == (100, 100)


def test_quality_of_a_jpeg(sandbox: Sandbox) -> None:
    poor, good = (
        ask(
            sandbox,
            body(responses=[{"identifier": "default", "format": {"type": "image/jpeg", "quality": quality}}]),
        )
        for quality in (0, 95)
    )
    assert len(poor.content) < len(good.content) / 2


def test_several_responses_come_as_an_archive(sandbox: Sandbox) -> None:
    wanted = responses(default="image/jpeg", mask="image/png", userdata="application/json")
    answer = ask(sandbox, body(responses=wanted), headers={"Accept": "application/tar"})
    assert answer.headers["content-type"] == "application/tar"
    files = members(answer)
    assert list(files) == ["default.jpg", "mask.png", "userdata.json"]
    assert pixels(files["mask.png"]).shape == (1, 100, 100)
    assert json.loads(files["userdata.json"])[0][0].startswith("s3://sentinel-s2-l2a/tiles/32/T/")
    old = ask(sandbox, body(responses=wanted), headers={"Accept": "application/x-tar, image/png"})
    assert old.headers["content-type"] == "application/x-tar"
    assert members(old) == files
    assert members(ask(sandbox, body(responses=wanted))) == files


def test_user_data_alone(sandbox: Sandbox) -> None:
    answer = ask(sandbox, body(responses=responses(userdata="application/json")))
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()


def test_the_evalscript_in_a_part_of_its_own(sandbox: Sandbox) -> None:
    request = body(responses=responses(mask="image/png"))
    script = request.pop("evalscript")
    parts = {"request": (None, json.dumps(request), "application/json"), "evalscript": (None, script)}
    answer = sandbox.call("POST", "/process/v1", files=parts)
    assert image(answer, "image/png").shape == (1, 100, 100)


def test_a_preview_shows_what_a_batch_delivers(batch: Batch, sandbox: Sandbox) -> None:
    """Tile 32TPR_0_9 of grid 1: every pixel of the preview equals that of the tile."""
    request_id = batch.started()
    batch.until(request_id, "DONE")
    [key] = batch.tiles(request_id)
    tile = sandbox.read(key)
    with MemoryFile(tile) as file, file.open() as dataset:
        bounds, epsg, (height, width) = list(dataset.bounds), dataset.crs.to_epsg(), dataset.shape
    request = body(width=width, height=height, responses=responses(default="image/tiff"))
    crs = f"http://www.opengis.net/def/crs/EPSG/0/{epsg}"
    request["input"] = {
        **batch.body()["processRequest"]["input"],
        "bounds": {"bbox": bounds, "properties": {"crs": crs}},
    }
    request["evalscript"] = NDVI
    preview = image(ask(sandbox, request))
    assert preview.shape == (1, 500, 500)
    assert np.isfinite(preview).any()
    assert np.array_equal(preview, pixels(tile), equal_nan=True)
    # A part of it at the same resolution, too.
    west, south, east, north = bounds
    request["input"]["bounds"]["bbox"] = [west + 2000, south, east, north - 4000]
    request["output"] = {"resx": 20, "resy": 20, "responses": responses(default="image/tiff")}
    assert np.array_equal(image(ask(sandbox, request)), preview[:, 200:, 100:], equal_nan=True)


def test_resolution_instead_of_size(sandbox: Sandbox) -> None:
    request = body(responses=responses(mask="image/png"))
    request["output"] |= {"resx": 40, "resy": 10}
    del request["output"]["width"], request["output"]["height"]
    assert image(ask(sandbox, request), "image/png").shape == (1, 200, 50)


def test_outside_the_geometry_there_is_no_data(sandbox: Sandbox) -> None:
    west, south, east, north = BOX
    triangle = {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [west, north], [west, south]]],
    }
    request = body(responses=responses(mask="image/png"))
    del request["input"]["bounds"]["bbox"]
    request["input"]["bounds"]["geometry"] = triangle
    mask = image(ask(sandbox, request), "image/png")[0]
    rows, columns = np.indices(mask.shape)
    assert np.array_equal(mask[rows > columns], np.ones((rows > columns).sum()))
    assert not mask[rows < columns].any()
    # With both, the box is what is shown and the geometry what has data.
    request["input"]["bounds"]["bbox"] = [west - 2000, south, east, north]
    request["output"]["width"] = 200
    both = image(ask(sandbox, request), "image/png")[0]
    assert not both[:, :100].any()
    assert np.array_equal(both[:, 100:], mask)


# A place in the area of each system: longitude and latitude.
PLACES = {
    2154: (3, 46), 2180: (19, 52), 2193: (173, -41), 3003: (9, 44), 3004: (15, 41), 3005: (-124, 54),
    3006: (15, 62), 3031: (20, -75), 3035: (10, 52), 3161: (-84, 50), 3346: (24, 55), 3413: (-45, 75),
    3416: (14, 47), 3578: (-135, 63), 3580: (-115, 65), 3765: (16, 45), 3794: (15, 46), 3844: (25, 46),
    3857: (5, 10), 3912: (15, 46), 3995: (0, 78), 4026: (28, 47), 4326: (100, 15), 5514: (16, 49),
    28992: (5, 52), 32184: (-62, 46),
}  # fmt: skip


@pytest.mark.parametrize("epsg", [*PLACES, 32601, 32660, 32733])
def test_every_system_can_be_asked_for(sandbox: Sandbox, epsg: int) -> None:
    from pyproj import Transformer

    zone = epsg % 100 * 6 - 183
    lon, lat = PLACES.get(epsg, (zone, 10 if epsg < 32700 else -20))
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    size = 0.02 if epsg == 4326 else 2000
    request = body(width=20, height=20, responses=responses(mask="image/tiff"))
    crs = f"http://www.opengis.net/def/crs/EPSG/0/{epsg}"
    request["input"]["bounds"] = {"bbox": [x, y, x + size, y + size], "properties": {"crs": crs}}
    answer = ask(sandbox, request)
    assert image(answer).max() == 1
    with MemoryFile(answer.content) as file, file.open() as dataset:
        assert dataset.crs.to_epsg() == epsg


def test_the_list_of_systems_is_complete() -> None:
    utm = {*range(32601, 32661), *range(32701, 32761)}
    assert set(PLACES) | utm == SUPPORTED_CRS


def test_what_it_costs(sandbox: Sandbox) -> None:
    before = balance(sandbox)
    request = body(width=512, height=512, responses=responses(default="image/tiff"))
    request["evalscript"] = NDVI
    answer = ask(sandbox, request)
    # Two bands, 32-bit, one sample.
    assert float(answer.headers["x-processingunits-spent"]) == pytest.approx(2 / 3 * 2, abs=1e-6)
    assert balance(sandbox) == pytest.approx(before - 4 / 3, abs=1e-6)
    request["evalscript"] = (
        NDVI.replace('"B08", ', "")
        .replace("s.B08", "1")
        .replace("FLOAT32", "UINT8")
        .replace("nodataValue: NaN", "nodataValue: 0")
    )
    request["output"] |= {"width": 2, "height": 2}
    assert ask(sandbox, request).headers["x-processingunits-spent"] == "0.005000"  # the minimum


def test_failures_cost_nothing_and_an_empty_account_gets_nothing(sandbox: Sandbox) -> None:
    before = balance(sandbox)
    assert ask(sandbox, {**body(), "evalscript": "//VERSION=3\nboom"}).status_code == 400
    assert balance(sandbox) == before
    sandbox.steer(balance_pu=0)
    refused = error(ask(sandbox, body()), 403)
    assert refused["code"] == "ACCESS_INSUFFICIENT_PROCESSING_UNITS"


def changed(*keys: Any, value: Any = ...) -> dict[str, Any]:
    """Return a body with one thing set, or taken away."""
    request = body()
    place: Any = request
    for key in keys[:-1]:
        place = place[key]
    if value is ...:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    return request


@pytest.mark.parametrize(
    ("request_body", "parameter", "violation"),
    [
        (changed("output", "width", value=2501), "output->width", "from 1 to 2500"),
        (changed("output", "height", value=0), "output->height", "from 1 to 2500"),
        (changed("output", "height", value=1.5), "output->height", "from 1 to 2500"),
        (changed("output", "resx", value=10), "output", "either width and height, or resx and resy"),
        (changed("output", value={"resx": 10}), "output->resy", "above 0"),
        (changed("output", value={"resx": 0, "resy": 10}), "output->resx", "above 0"),
        (
            changed("output", value={"resx": 0.5, "resy": 10}),
            "output->resx",
            "`width = 4000`, calculated from resx, is larger than allowed 2500.",
        ),
        (
            changed("input", "bounds", "bbox", value=[4e5, 5e6, 6e5, 5.2e6]),
            "output",
            "2000.00 meters per pixel in Y axis exceed the limit 1500.00.",
        ),
        (
            changed("input", "bounds", "bbox", value=[0, 4e6, 1e6, 5e6])
            | {"output": {"width": 2500, "height": 2500}},
            "output",
            "so large an area at so fine a resolution",
        ),
        (changed("input", "bounds"), "input->bounds", "must be given"),
        (changed("input", "bounds", value={}), "input->bounds", "bbox or geometry must be given"),
        (
            changed("input", "bounds", "properties", "crs", value="EPSG:1"),
            "input->bounds->properties->crs",
            "",
        ),
        (changed("input", "data", 0, "type", value="sentinel-9"), "input->data[0]->type", "has scenes of"),
        (changed("output", "responses", value=[]), "output->responses", "at least one"),
        (
            changed("output", "responses", value=responses(default="image/gif")),
            "output->responses[0]->format->type",
            "must be one of image/png",
        ),
        (
            changed("output", "responses", value=responses(default="application/json")),
            "output->responses[0]->format->type",
            "userdata",
        ),
        (
            changed("output", "responses", value=[{"format": {"type": "image/jpeg", "quality": 101}}]),
            "output->responses[0]->format->quality",
            "from 0 to 100",
        ),
        (changed("output", value=3), "output", "must be an object"),
        (changed("output", "width", value=None), "output->width", "must not be null"),
    ],
)
def test_bad_bodies(sandbox: Sandbox, request_body: Any, parameter: str, violation: str) -> None:
    found = violations(ask(sandbox, request_body))
    assert list(found) == [parameter]
    assert violation in found[parameter]


def test_the_limit_of_resolution_in_degrees(sandbox: Sandbox) -> None:
    """At 60 degrees north a degree of longitude is half as long."""
    request = body(width=75, height=100)
    request["input"]["bounds"] = {"bbox": [10, 59.5, 12, 60.5]}
    assert ask(sandbox, request).status_code == 200
    request["output"] = {"width": 74, "height": 100}
    assert "1504.32 meters per pixel in X axis" in violations(ask(sandbox, request))["output"]


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("", "COMMON_BAD_PAYLOAD", "Missing or empty evalscript."),
        ("//VERSION=3\nfunction {", "RENDERER_EXCEPTION", "Failed to evaluate script!\nevalscript.js:2"),
        (COLOUR.replace("3 * one.B04", "B04"), "RENDERER_EXCEPTION", "ReferenceError: B04 is not defined"),
        (
            COLOUR.replace('id: "default"', 'id: "rgb"'),
            "COMMON_BAD_PAYLOAD",
            "Output default requested but missing from function setup()",
        ),
        (
            COLOUR.replace("bands: 3", "bands: 5"),
            "COMMON_BAD_PAYLOAD",
            "Output default with 5 bands of sampleType AUTO cannot be image/png.",
        ),
        (
            COLOUR.replace("bands: 3", "bands: 3, sampleType: 'FLOAT32'"),
            "COMMON_BAD_PAYLOAD",
            "Output default with 3 bands of sampleType FLOAT32 cannot be image/png.",
        ),
    ],
)
def test_bad_scripts(sandbox: Sandbox, script: str, code: str, message: str) -> None:
    refused = error(ask(sandbox, {**body(), "evalscript": script}), 400)
    assert refused["code"] == code
    assert message in refused["message"]


@pytest.mark.parametrize(
    ("accept", "count"),
    [("image/png", 2), ("multipart/mixed", 2), ("application/octet-stream", 1), ("application/json", 1)],
)
def test_answers_that_cannot_be_given(sandbox: Sandbox, accept: str, count: int) -> None:
    wanted = responses(default="image/png", mask="image/png")[:count]
    refused = error(ask(sandbox, body(responses=wanted), headers={"Accept": accept}), 400)
    assert accept in refused["message"]


def test_other_calls_and_tokens(sandbox: Sandbox) -> None:
    assert error(ask(sandbox, body(), token="nonsense"), 401)["code"] == "COMMON_UNAUTHORIZED"
    answer = sandbox.call("GET", "/process/v1")
    assert error(answer, 405)["code"] == "COMMON_METHOD_NOT_ALLOWED"
    assert answer.headers["allow"] == "POST"
    assert error(sandbox.call("POST", "/process/v1", data="x"), 415)


def test_faults_name_it(sandbox: Sandbox) -> None:
    sandbox.fault("server_error", times=None)  # batch calls only
    assert ask(sandbox, body()).status_code == 200
    sandbox.clear_faults()
    sandbox.fault("rate_limit", path="/v1/process", retry_after_ms=20)
    limited = ask(sandbox, body())
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "20")
    sandbox.fault("server_error", path="/v1/process", status=500)
    assert error(ask(sandbox, body()), 500)
    calls = [
        (call["path"], call["status"]) for call in sandbox.journal()["calls"] if call["path"] != "/token"
    ]
    assert calls == [("/v1/process", 200), ("/v1/process", 429), ("/v1/process", 500)]


# -- the vendor's own client


@pytest.fixture
def config(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setitem(os.environ, "OAUTHLIB_INSECURE_TRANSPORT", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield vendor_config(sandbox)


def vendor_request(config: Any, formats: dict[str, str], **options: Any) -> Any:
    from sentinelhub.api.process import SentinelHubRequest
    from sentinelhub.constants import CRS, MimeType
    from sentinelhub.data_collections import DataCollection
    from sentinelhub.geometry import BBox

    url = config.sh_base_url
    # Named after what tells it from others: the library keeps definitions as long as the process lives.
    collection = DataCollection.SENTINEL2_L2A.define_from(url, service_url=url)
    return SentinelHubRequest(
        evalscript=COLOUR,
        input_data=[
            SentinelHubRequest.input_data(
                data_collection=collection, time_interval=("2024-06-01", "2024-06-10")
            )
        ],
        responses=[SentinelHubRequest.output_response(n, MimeType(f)) for n, f in formats.items()],
        bbox=BBox((BOX[0], BOX[1], BOX[2], BOX[3]), crs=CRS("32632")),
        config=config,
        **options,
    )


def test_the_vendors_client_gets_one_image(config: Any, sandbox: Sandbox) -> None:
    [array] = vendor_request(config, {"default": "tiff"}, size=(100, 100)).get_data()
    assert array.shape == (100, 100, 3)
    ours = image(ask(sandbox, body(responses=responses(default="image/tiff"))))
    assert np.array_equal(np.moveaxis(array, -1, 0), ours)


def test_the_vendors_client_gets_several(config: Any) -> None:
    [files] = vendor_request(
        config, {"default": "png", "mask": "tiff", "userdata": "json"}, resolution=(20, 20)
    ).get_data()
    assert {name: getattr(value, "shape", None) for name, value in files.items()} == {
        "default.png": (100, 100, 3),
        "mask.tif": (100, 100),
        "userdata.json": None,
    }
    assert files["userdata.json"]
