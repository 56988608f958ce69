"""The Process API against the sandbox: sizes, formats, faults, previews that show what a batch delivers."""

from __future__ import annotations

import io
import json
import random
import re
import tarfile
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from sentinelhub.constants import CRS
from sentinelhub.geo_utils import bbox_to_dimensions as vendors_dimensions
from sentinelhub.geometry import BBox
from support import NDVI, ONE_TILE, box, client_for, created, definition, secrets_of, wait_for

from airflow_provider_sentinelhub.client import errors
from airflow_provider_sentinelhub.client.batch import BatchClient
from airflow_provider_sentinelhub.client.crs import crs_url
from airflow_provider_sentinelhub.client.definition import BatchDefinition
from airflow_provider_sentinelhub.client.deployments import Credentials, deployment
from airflow_provider_sentinelhub.client.http import Call, Reply
from airflow_provider_sentinelhub.client.process import (
    MAX_PIXELS,
    Images,
    ProcessClient,
    ProcessDefinition,
    bbox_to_dimensions,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_driver import Sandbox

UTM11 = [300_000.0, 3_990_000.0, 302_000.0, 3_993_000.0]
COLOURS = """//VERSION=3
function setup() {
  return {input: ["B02", "B03", "B04", "dataMask"],
          output: [{id: "default", bands: 3}, {id: "mask", bands: 1, sampleType: "UINT8"}]};
}
function evaluatePixel(s) { return {default: [3 * s.B04, 3 * s.B03, 3 * s.B02], mask: [s.dataMask]}; }
function updateOutputMetadata(scenes, _, out) { out.userData = {seen: true}; }
"""


@pytest.fixture
def client(sandbox: Sandbox) -> ProcessClient:
    return ProcessClient(client_for(sandbox).session)


def image(**changes: Any) -> ProcessDefinition:
    fields: dict[str, Any] = {
        "evalscript": COLOURS,
        "area": UTM11,
        "area_crs": "EPSG:32611",
        "time_range": ("2020-07-01", "2020-07-31"),
        "collection": "sentinel-2-l1c",
        "size": (40, 60),
    }
    return ProcessDefinition(**{**fields, **changes})


def pixels(content: bytes) -> np.ndarray[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(content) as file, file.open() as dataset:
            read: np.ndarray[Any, Any] = dataset.read()
    return read


def calls(sandbox: Sandbox) -> list[int]:
    return [call["status"] for call in sandbox.journal()["calls"] if "process" in call["path"]]


def balance(sandbox: Sandbox) -> float:
    accounts = requests.get(f"{sandbox.base_url}/sandbox/accounts", timeout=30).json()["data"]
    return float(accounts[0]["balance_pu"])


# --- how large ---


@pytest.mark.parametrize("crs", ["WGS84", "POP_WEB", "UTM_33N"])
def test_sizes_are_those_of_the_vendors_package(crs: str) -> None:
    rng = random.Random(f"sizes {crs}")
    for number in range(200):
        # Every fourth around Norway and Svalbard, whose zones are irregular.
        lon, lat = rng.uniform(-175, 175), rng.uniform(-75, 82)
        if number % 4 == 0:
            lon, lat = rng.uniform(0, 42), rng.choice((rng.uniform(56, 64), rng.uniform(72, 83.9)))
        west, south, east, north = lon, lat, lon + rng.uniform(0.001, 0.5), lat + rng.uniform(0.001, 0.1)
        there = BBox((west, south, east, north), CRS.WGS84)
        if crs == "UTM_33N":
            x, y = rng.uniform(3e5, 7e5), rng.uniform(1e6, 8e6)
            there = BBox((x, y, x + rng.uniform(10, 9e4), y + 5e4), CRS(32633))
        elif crs == "POP_WEB":
            there = there.transform(CRS.POP_WEB)
        resolution = (rng.uniform(5, 60), rng.uniform(5, 60)) if number % 2 else rng.uniform(5, 60)
        bounds = (*there.lower_left, *there.upper_right)
        url = crs_url(there.crs)
        ours = bbox_to_dimensions(bounds, resolution, url)
        assert ours == vendors_dimensions(there, resolution), (there, resolution)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"resolution": 50}, (40, 60)),
        ({"resolution": "50"}, (40, 60)),
        ({"resolution": (100, 50)}, (20, 60)),
        ({"resolution": "[100, 50]"}, (20, 60)),
        ({"size": "40, 60"}, (40, 60)),
        ({"size": ["40", 60]}, (40, 60)),
        ({"area": ONE_TILE, "area_crs": None, "resolution": 20}, (46, 54)),
        (
            {"area": ONE_TILE, "area_crs": None, "resolution": 0.001, "resolution_unit": "crs"},
            (10, 10),
        ),
    ],
)
def test_ways_to_say_the_size(changes: dict[str, Any], size: tuple[int, int]) -> None:
    assert image(**{"size": None, **changes}).pixels == size


def test_what_is_too_large_is_told_a_resolution_that_fits() -> None:
    rng = random.Random("too large")
    for number in range(100):
        lon, lat = rng.uniform(-170, 170), rng.uniform(-70, 70)
        area = (lon, lat, lon + rng.uniform(0.3, 3), lat + rng.uniform(0.3, 3))
        unit, resolution = ("crs", rng.uniform(1e-6, 1e-4)) if number % 2 else ("metre", rng.uniform(0.1, 9))
        given = {"size": None, "area": area, "area_crs": None, "resolution_unit": unit}
        [fault] = image(**given, resolution=resolution).faults()
        assert fault.field == "resolution"
        width, height = map(int, re.findall(r"(\d+) x (\d+) pixels", fault.problem)[0])
        assert max(width, height) > MAX_PIXELS
        fitting = re.findall(r"Give ([\d.e-]+)", fault.remedy)[0]
        largest = max(image(**given, resolution=fitting).pixels)
        assert 0.98 * MAX_PIXELS < largest <= MAX_PIXELS


def test_what_is_too_small_is_told_a_resolution_that_fits() -> None:
    given = {"size": None, "area": [300_000.0, 3_990_000.0, 300_007.0, 3_990_100.0]}
    [fault] = image(**given, resolution=20).faults()
    assert "too coarse for an area of 7 x 100 m" in fault.problem
    fitting = re.findall(r"Give ([\d.]+)", fault.remedy)[0]
    assert min(image(**given, resolution=fitting).pixels) == 1


def test_an_image_does_not_reach_around_the_world_by_accident() -> None:
    [fault] = image(area=(179, -17, -179, -16), area_crs=None).faults()
    assert fault.field == "area"
    assert "antimeridian" in fault.problem
    assert not image(area=(-180, -80, 180, 80), area_crs=None).faults()


def test_everything_wrong_is_named_at_once(sandbox: Sandbox, client: ProcessClient) -> None:
    wrong = image(
        evalscript=" ",
        area="POINT (1 2)",
        area_crs=None,
        time_range=("2020-08-01", "2020-07-01"),
        collection="sentinel-9",
        size=(0, 2501),
        resolution=10,
        outputs={"default": "image/gif", "userdata": "png"},
    )
    fields = [fault.field for fault in wrong.faults()]
    assert fields == ["evalscript", "area", "time_range", "collection", "size", "outputs", "outputs"]
    assert [fault.field for fault in image(size=(0, 2501)).faults()] == ["size[0]", "size[1]"]
    with pytest.raises(errors.DefinitionError, match="The image cannot work, 7 faults"):
        client.process(wrong.to_wire())
    assert calls(sandbox) == []


# --- what comes back ---


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "image/tiff"])
def test_one_output(client: ProcessClient, kind: str) -> None:
    images = client.process(image(outputs={"default": kind}).to_wire())
    assert list(images.files) == ["default"]
    assert pixels(images.files["default"]).shape == (3, 60, 40)


def test_several_outputs(client: ProcessClient) -> None:
    wanted = {"default": "jpg", "mask": "image/tiff", "userdata": "json"}
    images = client.process(image(outputs=wanted).to_wire())
    assert set(images.files) == set(wanted)
    assert pixels(images.files["default"]).shape == (3, 60, 40)
    assert pixels(images.files["mask"]).shape == (1, 60, 40)
    assert json.loads(images.files["userdata"]) == {"seen": True}


def test_a_request_without_responses_is_a_png(client: ProcessClient) -> None:
    request = image().to_wire()
    del request["output"]["responses"]
    assert pixels(client.process(request).files["default"]).shape == (3, 60, 40)


def test_the_cost_is_what_the_account_is_charged(sandbox: Sandbox, client: ProcessClient) -> None:
    before = balance(sandbox)
    images = client.process(image(size=(512, 256)).to_wire())
    assert images.processing_units == pytest.approx(0.5)
    assert before - balance(sandbox) == pytest.approx(0.5)


@pytest.mark.parametrize("scheme", ["new", "old"])
def test_both_path_schemes(sandbox: Sandbox, scheme: str) -> None:
    where = deployment("custom", base_url=sandbox.base_url, token_url=sandbox.token_url, path_scheme=scheme)
    batch = BatchClient(where, Credentials(sandbox.client_id, sandbox.client_secret))
    assert ProcessClient(batch.session).process(image().to_wire()).files


def test_a_preview_shows_what_a_batch_delivers(sandbox: Sandbox, client: ProcessClient) -> None:
    batch = client_for(sandbox)
    request_id = created(batch, sandbox)
    batch.start(request_id)
    wait_for(batch, request_id)
    [key] = [key for key in sandbox.keys(f"tests/{request_id}/") if key.endswith("NDVI.tif")]
    tile = sandbox.read(key)
    with MemoryFile(tile) as file, file.open() as dataset:
        bounds, code, size = list(dataset.bounds), dataset.crs.to_epsg(), (dataset.width, dataset.height)
    what = definition(sandbox)
    same = {name: getattr(what, name) for name in ("evalscript", "time_range", "collection", "outputs")}
    for changes in ({"size": size}, {"size": None, "resolution": 20}):
        preview = image(**{**same, "area": bounds, "area_crs": code, **changes})
        got = pixels(client.process(preview.to_wire()).files["NDVI"])
        assert got.shape == (1, 500, 500)
        assert np.isfinite(got).any()
        assert np.array_equal(got, pixels(tile), equal_nan=True)


def test_the_definition_of_a_batch_is_one_of_an_image(tmp_path: Path) -> None:
    (tmp_path / "ndvi.js").write_text(NDVI)
    whole = {
        "evalscript": "ndvi.js",
        "area": ONE_TILE,
        "time_range": ["2020-07-01", "2020-07-31"],
        "max_cloud_coverage": 20,
        "outputs": ["NDVI"],
        "tiling_grid_id": 1,
        "resolution": 20,
        "delivery_url": "s3://bucket/results",
        "delivery_aws_conn_id": "aws_default",
        "cog": True,
    }
    (tmp_path / "ndvi.json").write_text(json.dumps(whole))
    preview = ProcessDefinition.read("ndvi.json", folders=[tmp_path], size=(50, 60)).to_wire()
    keyless = {name: value for name, value in whole.items() if name != "delivery_aws_conn_id"}
    batch = BatchDefinition.read(
        {**keyless, "iam_role_arn": "arn:aws:iam::123456789012:role/r"}, folders=[tmp_path]
    ).to_wire()["processRequest"]
    assert preview["input"] == batch["input"]
    assert preview["evalscript"] == NDVI == batch["evalscript"]
    assert preview["output"] == {**batch["output"], "width": 50, "height": 60}
    faults = ProcessDefinition.read({**whole, "clouds": 3}, folders=[tmp_path], size=(5, 5)).faults()
    assert [fault.field for fault in faults] == ["clouds"]


# --- what goes wrong ---


def test_passing_faults_are_waited_out(sandbox: Sandbox, client: ProcessClient) -> None:
    where = {"method": "POST", "path": "/v1/process"}
    exact = client.process(image().to_wire())
    sandbox.clear_journal()
    sandbox.fault("rate_limit", retry_after_ms=50, times=2, **where)
    sandbox.fault("server_error", status=503, body="html", **where)
    sandbox.fault("drop", when="after", **where)
    sandbox.fault("garbage", **where)
    before = balance(sandbox)
    assert client.process(image().to_wire()) == exact
    assert calls(sandbox) == [429, 429, 503, 0, 200, 200]
    # The lost reply was charged as well; the garbled one never came to the account.
    assert exact.processing_units is not None
    assert before - balance(sandbox) >= 2 * exact.processing_units * 0.999


def test_a_token_that_was_forgotten_is_renewed(sandbox: Sandbox, client: ProcessClient) -> None:
    client.process(image().to_wire())
    sandbox.expire_tokens()
    assert client.process(image().to_wire()).files


@pytest.mark.parametrize(
    ("kind", "rule", "error"),
    [
        ("rate_limit", {"times": None, "retry_after_ms": 10}, errors.RateLimitedError),
        ("server_error", {"times": None}, errors.ServerError),
        ("drop", {"times": None, "when": "before"}, errors.LostReplyError),
        ("garbage", {"times": None}, errors.GarbledReplyError),
        ("client_error", {"status": 400, "message": "planted"}, errors.InvalidRequestError),
    ],
)
def test_lasting_faults_have_names(
    sandbox: Sandbox, client: ProcessClient, kind: str, rule: dict[str, Any], error: type[Exception]
) -> None:
    sandbox.fault(kind, path="/v1/process", **rule)
    with pytest.raises(error, match=r"^Rendering an image: ") as raised:
        client.process(image().to_wire())
    assert not [secret for secret in secrets_of(sandbox) if secret in str(raised.value)]


def test_refusals_have_names(sandbox: Sandbox, client: ProcessClient) -> None:
    with pytest.raises(errors.InvalidRequestError, match="nothing"):
        client.process(image(outputs=["nothing"]).to_wire())
    sandbox.steer(balance_pu=0)
    with pytest.raises(errors.InsufficientProcessingUnitsError):
        client.process(image().to_wire())


# --- archives that are not what they should be ---

FORMATS = {"a": "image/png", "userdata": "application/json"}
A_PNG = b"\x89PNG\r\n\x1a\nrest"


def reply(content: bytes) -> Reply:
    return Reply(Call("Rendering", "POST", "http://x"), content, {})


def archive(*members: tuple[str, bytes], links: tuple[tuple[str, str], ...] = ()) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, to in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, to
            tar.addfile(link)
    return target.getvalue()


def test_only_what_was_asked_for_is_taken_from_an_archive() -> None:
    content = archive(
        ("../../a.png", b"evil"), ("/etc/a.png", b"evil"), ("a.png", A_PNG), ("userdata.json", b"{}")
    )
    assert Images.from_reply(reply(content), FORMATS).files == {"a": A_PNG, "userdata": b"{}"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a tar archive"),
        (b"<html>", "not a tar archive"),
        (archive(("a.png", A_PNG)), "lacks the output userdata"),
        (archive(("a.png", A_PNG), links=(("userdata.json", "/etc/passwd"),)), "lacks the output userdata"),
        (archive(("a.png", b"II*\0"), ("userdata.json", b"{}")), "output a is not image/png"),
        (archive(("a.png", A_PNG), ("userdata.json", b"{")), "output userdata is not application/json"),
        (archive(("a.png", A_PNG), ("userdata.json", b"{}"))[:700], r"not a tar archive|lacks|is not"),
    ],
)
def test_a_wrong_archive_is_garbled(content: bytes, words: str) -> None:
    with pytest.raises(errors.GarbledReplyError, match=words):
        Images.from_reply(reply(content), FORMATS)


def test_a_polygon_has_no_data_outside(client: ProcessClient) -> None:
    west, south, east, north = UTM11
    triangle = {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [west, north], [west, south]]],
    }
    [mask] = pixels(client.process(image(area=triangle, outputs=["mask"]).to_wire()).files["mask"])
    assert mask[-1, 0] == 1
    assert mask[0, -1] == 0
    whole = image(area=box(-119.24, 36.05, -119.23, 36.06), area_crs=None, outputs=["mask"])
    assert pixels(client.process(whole.to_wire()).files["mask"]).min() == 1
