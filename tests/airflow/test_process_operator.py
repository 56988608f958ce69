"""The operator that renders images: where they go, what it returns, and what it refuses before it costs."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow_driver import free_ports
from airflow_runner import context, run
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from support import NDVI, QUICK, client_for, connection_json, created, definition, secrets_of, wait_for

from airflow_provider_sentinelhub.client.errors import LostReplyError, UnreachableError
from airflow_provider_sentinelhub.hooks import sentinelhub as hook_module
from airflow_provider_sentinelhub.operators.process import SentinelHubProcessOperator

if TYPE_CHECKING:
    from sandbox_driver import Sandbox

AREA = [300_000.0, 3_990_000.0, 302_000.0, 3_993_000.0]
SCRIPT = """//VERSION=3
function setup() {
  return {input: ["B02", "B03", "B04", "dataMask"],
          output: [{id: "default", bands: 3}, {id: "mask", bands: 1, sampleType: "UINT8"}]};
}
function evaluatePixel(s) { return {default: [3 * s.B04, 3 * s.B03, 3 * s.B02], mask: [s.dataMask]}; }
"""


def operator(path: Path | str, **changes: Any) -> SentinelHubProcessOperator:
    arguments: dict[str, Any] = {
        "task_id": "preview",
        "evalscript": SCRIPT,
        "area": AREA,
        "area_crs": "EPSG:32611",
        "time_range": ("2020-07-01", "2020-07-31"),
        "collection": "sentinel-2-l1c",
        "size": (40, 60),
        "path": str(path),
        **changes,
    }
    return SentinelHubProcessOperator(**arguments)


def calls(sandbox: Sandbox) -> list[int]:
    return [call["status"] for call in sandbox.journal()["calls"] if "process" in call["path"]]


def opened(content: bytes) -> tuple[str, np.ndarray[Any, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with MemoryFile(content) as file, file.open() as dataset:
            return dataset.driver, dataset.read()


def test_one_output_goes_to_the_path(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "new" / "preview.png"
    result, _ = run(operator(path))
    assert result == {
        "paths": {"default": str(path)},
        "width": 40,
        "height": 60,
        "processing_units": pytest.approx(40 * 60 / 512**2, abs=0.01),
    }
    driver, pixels = opened(path.read_bytes())
    assert (driver, pixels.shape) == ("PNG", (3, 60, 40))
    # Once more, as a retry would.
    again, _ = run(operator(path))
    assert again == result
    assert [file.name for file in path.parent.iterdir()] == ["preview.png"]


@pytest.mark.parametrize(
    ("changes", "files"),
    [
        ({"outputs": ["default", "mask"]}, {"default": "default.tif", "mask": "mask.tif"}),
        (
            {"outputs": {"default": "image/jpeg", "mask": "png"}},
            {"default": "default.jpg", "mask": "mask.png"},
        ),
    ],
)
def test_several_outputs_go_to_a_folder(
    sandbox: Sandbox, tmp_path: Path, changes: dict[str, Any], files: dict[str, str]
) -> None:
    result, _ = run(operator(tmp_path / "previews", **changes))
    assert result["paths"] == {name: str(tmp_path / "previews" / file) for name, file in files.items()}
    kinds = {"tif": "GTiff", "jpg": "JPEG", "png": "PNG"}
    for path in map(Path, result["paths"].values()):
        assert opened(path.read_bytes())[0] == kinds[path.suffix[1:]]


def test_to_the_bucket(sandbox: Sandbox) -> None:
    for path, key in (
        ("s3://sandbox/previews/one.tif", "previews/one.tif"),
        ("s3://sandbox/p/", "p/default.tif"),
    ):
        result, _ = run(operator(path))
        assert result["paths"] == {"default": f"s3://sandbox/{key}"}
        assert opened(sandbox.read(key))[1].shape == (3, 60, 40)


def test_area_and_definition_may_be_at_a_url(sandbox: Sandbox, tmp_path: Path) -> None:
    s3 = sandbox.s3_client()
    s3.put_object(Bucket=sandbox.bucket, Key="in/area.json", Body=json.dumps(AREA).encode())
    s3.put_object(Bucket=sandbox.bucket, Key="in/image.json", Body=b'{"area": "area.json"}')
    run(operator(tmp_path / "plain.tif"))
    url = f"s3://{sandbox.bucket}/in"
    run(operator(tmp_path / "area.tif", area=f"{url}/area.json", area_conn_id="aws_default"))
    definition = f"{url}/image.json"
    run(operator(tmp_path / "both.tif", area=None, definition=definition, area_conn_id="aws_default"))
    plain, *others = ((tmp_path / f"{name}.tif").read_bytes() for name in ("plain", "area", "both"))
    assert others == [plain] * 2


def test_to_another_storage(sandbox: Sandbox, tmp_path: Path) -> None:
    url = (tmp_path / "preview.jpg").as_uri()
    result, _ = run(operator(url))
    assert result["paths"] == {"default": url}
    assert opened((tmp_path / "preview.jpg").read_bytes())[0] == "JPEG"


def test_a_preview_shows_what_a_batch_delivers(sandbox: Sandbox, tmp_path: Path) -> None:
    client = client_for(sandbox)
    request_id = created(client, sandbox)
    client.start(request_id)
    wait_for(client, request_id)
    [key] = [key for key in sandbox.keys(f"tests/{request_id}/") if key.endswith("NDVI.tif")]
    with MemoryFile(sandbox.read(key)) as file, file.open() as dataset:
        bounds, code, tile = list(dataset.bounds), dataset.crs.to_epsg(), dataset.read()
    what = definition(sandbox)
    preview = operator(
        tmp_path / "tile.tif",
        definition={
            "evalscript": NDVI,
            "time_range": list(what.time_range),
            "collection": what.collection,
            "outputs": ["NDVI"],
            "tiling_grid_id": 1,
            "resolution": 20,
        },
        area=bounds,
        area_crs=f"EPSG:{code}",
        **dict.fromkeys(("evalscript", "time_range", "collection", "size")),
        resolution="20",
    )
    run(preview)
    assert np.array_equal(opened((tmp_path / "tile.tif").read_bytes())[1], tile, equal_nan=True)


def test_arguments_are_templated_and_the_evalscript_is_not(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "colour.js").write_text(SCRIPT.replace("3 *", "{{ 3 }} *").replace("{{ 3 }}", "3"))
    with DAG("previews", template_searchpath=str(tmp_path)):
        preview = operator(
            tmp_path / "{{ ds }}.png",
            evalscript="colour.js",
            time_range="{{ ds }}/{{ ds }}",
            size="{{ params.size }}",
            area="{{ params.area }}",
        )
    preview.render_template_fields({"ds": "2020-07-10", "params": {"size": [30, 20], "area": AREA}})
    result, _ = run(preview)
    assert (result["width"], result["height"]) == (30, 20)
    assert (tmp_path / "2020-07-10.png").exists()
    assert "evalscript" not in preview.template_fields
    assert set(preview.template_fields) <= set(vars(preview)) | {"sentinelhub_conn_id"}


def test_the_xcoms_and_rendered_fields_hold_no_secret_and_no_image(sandbox: Sandbox, tmp_path: Path) -> None:
    preview, within = operator("s3://sandbox/secret.tif", size=(400, 600)), context()
    result, _ = run(preview, within)
    rendered = json.dumps({name: getattr(preview, name) for name in preview.template_fields})
    kept = json.dumps([result, within["ti"].xcoms, within["task_state_store"].values, rendered])
    assert not [secret for secret in secrets_of(sandbox) if secret in kept]
    assert len(json.dumps(result)) < 300


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": None}, r"DefinitionError: The image cannot work, one fault:\n  - size: is missing"),
        ({"size": None, "resolution": 0.5}, r"resolution: makes an image of 4000 x 6000 pixels.*Give 1\.2 m"),
        ({"outputs": ["default", "mask"], "path": "a.png"}, r"path: a\.png is one file, for 2 outputs"),
        ({"outputs": {"default": "png"}, "path": "a.tif"}, r"path: a\.tif is the name of an image/tiff file"),
        ({"path": " "}, "path: is empty"),
        ({"path": "/etc/hostname/a.png"}, "path: nothing can be written to /etc/hostname"),
        ({"path": "/tmp"}, "path: /tmp is a folder"),
        ({"path": "s3://sandbox"}, "path: s3://sandbox names no file"),
        ({"path": "s3://no-such-bucket/a.png"}, "path: there is no bucket 'no-such-bucket'"),
        ({"path": "s3://sandbox/a.png", "storage_conn_id": "wrong"}, r"storage_conn_id: .*has no rights"),
        ({"path": "nothing://bucket/a.png"}, r"path: nothing:// cannot be used here"),
        ({"outputs": ["other"]}, "outputs: Output other requested but missing"),
        ({"evalscript": "//VERSION=3\nfunction setup( {"}, "evalscript, line 2.*SyntaxError"),
        ({"evalscript": "missing.js"}, "evalscript: there is no file 'missing.js'"),
        ({"area": "POINT (1 2)", "time_range": "2020"}, r"2 faults:\n  - area(.|\n)*- time_range"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_paid(
    sandbox: Sandbox, tmp_path: Path, changes: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = json.loads(sandbox.connections["AIRFLOW_CONN_AWS_DEFAULT"])
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", connection_json(**{**aws, "password": "wrong"}))
    with pytest.raises(AirflowFailException, match=words):
        run(operator(**{"path": tmp_path / "a.png", **changes}))
    assert calls(sandbox) == []


def test_passing_faults_are_waited_out(sandbox: Sandbox, tmp_path: Path) -> None:
    where = {"path": "/v1/process"}
    sandbox.fault("rate_limit", retry_after_ms=100, times=2, **where)
    sandbox.fault("server_error", **where)
    sandbox.fault("drop", when="after", **where)
    result, _ = run(operator(tmp_path / "a.png"))
    assert result["processing_units"] > 0
    assert calls(sandbox) == [429, 429, 503, 0, 200]


def test_lasting_faults_are_left_to_airflows_retries(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = operator(tmp_path / "a.png")
    preview.__dict__["hook"] = hook_module.SentinelHubHook(backoff=QUICK)
    sandbox.fault("drop", path="/v1/process", times=None)
    with pytest.raises(LostReplyError):
        run(preview)
    assert list(tmp_path.iterdir()) == []
    sandbox.clear_faults()
    run(preview)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"status": 400, "message": "planted reason"}, "InvalidRequestError.*planted reason"),
        ({"status": 403, "message": "planted reason"}, "PermissionDeniedError.*planted reason"),
    ],
)
def test_refusals_fail_for_good(sandbox: Sandbox, tmp_path: Path, rule: dict[str, Any], words: str) -> None:
    sandbox.fault("client_error", path="/v1/process", **rule)
    with pytest.raises(AirflowFailException, match=words):
        run(operator(tmp_path / "a.png"))


def test_a_wrong_secret_and_an_unreachable_service(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "AIRFLOW_CONN_SENTINELHUB_DEFAULT"
    connection = sandbox.connections[name]
    monkeypatch.setenv(name, connection.replace(sandbox.client_secret, "planted-wrong-secret"))
    with pytest.raises(AirflowFailException, match="AuthenticationError") as raised:
        run(operator(tmp_path / "a.png"))
    assert "planted-wrong-secret" not in str(raised.value)
    [port] = free_ports(1)
    gone = json.loads(connection)
    gone["extra"] |= {"base_url": f"http://127.0.0.1:{port}"}
    monkeypatch.setenv(name, connection_json(**gone))
    preview = operator(tmp_path / "a.png")
    preview.__dict__["hook"] = hook_module.SentinelHubHook(backoff=QUICK)
    with pytest.raises(UnreachableError, match="cannot be reached"):
        run(preview)
