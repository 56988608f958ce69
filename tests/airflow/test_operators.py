"""The operators against the sandbox: what they do, and what they refuse before anything is created."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow_driver import free_ports
from airflow_runner import context, run
from support import NDVI, ONE_TILE, QUICK, client_for, created, secrets_of, starts, wait_for

from airflow_provider_sentinelhub.client.errors import LostReplyError, UnreachableError
from airflow_provider_sentinelhub.hooks import sentinelhub as hook_module
from airflow_provider_sentinelhub.operators.steps import (
    SentinelHubAnalyseBatchOperator,
    SentinelHubCreateBatchOperator,
    SentinelHubStartBatchOperator,
    SentinelHubStopBatchOperator,
)

if TYPE_CHECKING:
    from sandbox_driver import Sandbox


def create_operator(**changes: Any) -> SentinelHubCreateBatchOperator:
    arguments: dict[str, Any] = {
        "task_id": "create",
        "evalscript": NDVI,
        "area": ONE_TILE,
        "time_range": ("2020-07-01", "2020-07-31"),
        "collection": "sentinel-2-l1c",
        "tiling_grid_id": 1,
        "resolution": 20,
        "outputs": ["NDVI"],
        "delivery_url": "s3://sandbox/operators",
        "delivery_aws_conn_id": "aws_default",
        **changes,
    }
    return SentinelHubCreateBatchOperator(**arguments)


def creates(sandbox: Sandbox) -> int:
    return sum(
        call["method"] == "POST" and call["path"].endswith("/process") for call in sandbox.journal()["calls"]
    )


def test_create_analyse_start(sandbox: Sandbox) -> None:
    request_id, _ = run(create_operator(description="mine"))
    client = client_for(sandbox)
    assert client.get(request_id).description == "mine"
    for _ in range(2):
        assert run(SentinelHubAnalyseBatchOperator(task_id="a", request_id=request_id)) == (request_id, 0)
    wait_for(client, request_id, "ANALYSIS_DONE")
    for _ in range(2):
        assert run(SentinelHubStartBatchOperator(task_id="s", request_id=request_id)) == (request_id, 0)
    wait_for(client, request_id)
    assert starts(sandbox, request_id) == 1
    assert any(key.endswith("NDVI.tif") for key in sandbox.keys(f"operators/{request_id}/"))


def test_stop(sandbox: Sandbox) -> None:
    sandbox.steer(processing={"seconds": 600})
    client = client_for(sandbox)
    request_id = created(client, sandbox)
    client.start(request_id)
    for _ in range(2):
        assert run(SentinelHubStopBatchOperator(task_id="stop", request_id=request_id))[0] == request_id
    sandbox.wait(lambda: client.get(request_id).status == "STOPPED")
    assert sandbox.journal()["requests"][request_id]["stops"] == 1


def test_acting_on_a_request_that_failed_or_is_unknown(sandbox: Sandbox) -> None:
    client = client_for(sandbox)
    request_id = created(client, sandbox)
    sandbox.fault("analysis_failure", request=request_id, error="planted reason")
    client.analyse(request_id)
    sandbox.wait(lambda: client.get(request_id).status == "FAILED")
    with pytest.raises(AirflowFailException, match=r"BatchFailedError.*planted reason.*create a new one"):
        run(SentinelHubStartBatchOperator(task_id="s", request_id=request_id))
    unknown = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(AirflowFailException, match="BatchExpiredError"):
        run(SentinelHubStartBatchOperator(task_id="s", request_id=unknown))


def test_create_by_role(sandbox: Sandbox) -> None:
    role = "arn:aws:iam::000000000000:role/sentinelhub-sandbox"
    request_id, _ = run(create_operator(delivery_aws_conn_id=None, iam_role_arn=role))
    client = client_for(sandbox)
    client.start(request_id)
    wait_for(client, request_id)
    assert any(key.endswith("NDVI.tif") for key in sandbox.keys(f"operators/{request_id}/"))


def test_numbers_may_come_out_of_jinja(sandbox: Sandbox) -> None:
    operator = create_operator(tiling_grid_id="1", resolution="20", max_cloud_coverage="80")
    request_id, _ = run(operator)
    definition = client_for(sandbox).get(request_id).definition
    assert definition["input"]["resolution"] == 20
    assert definition["processRequest"]["input"]["data"][0]["dataFilter"]["maxCloudCoverage"] == 80


def test_everything_templated_is_an_argument() -> None:
    for operator in (create_operator(), SentinelHubStartBatchOperator(task_id="t", request_id="r")):
        for name in operator.template_fields:
            assert hasattr(operator, name)


def test_an_evalscript_file_is_found_beside_the_dag_and_not_rendered(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    script = NDVI + "// {{ not jinja }} {% nor this %} {# nor that #}\n"
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "ndvi.js").write_text(script)
    with DAG("searching", schedule=None, template_searchpath=[str(tmp_path / "scripts")]):
        operator = create_operator(evalscript="ndvi.js")
    operator.render_template_fields({})
    request_id, _ = run(operator)
    assert client_for(sandbox).get(request_id).definition["processRequest"]["evalscript"] == script


def test_the_result_and_the_xcoms_hold_no_secret_and_no_payload(sandbox: Sandbox) -> None:
    within = context()
    operator = create_operator()
    request_id, _ = run(operator, within)
    kept = json.dumps([request_id, within["ti"].xcoms]) + repr(vars(operator))
    assert not [secret for secret in secrets_of(sandbox) if secret in kept]
    assert "VERSION" not in json.dumps([request_id, within["ti"].xcoms])


# --- bad input: named with its field, before anything is created ---

BOW_TIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tiling_grid_id": 42}, r"tiling_grid_id: there is no grid 42\. Choose one of 0 "),
        ({"resolution": 15}, r"resolution: grid 1 .* does not have 15\. Choose one of .*10, 20"),
        ({"area": {"type": "Point", "coordinates": [0, 0]}}, r"area: .*Point"),
        ({"area": BOW_TIE}, r"area: .*Self-intersection"),
        ({"evalscript": NDVI[:-5]}, r"evalscript, line \d+, column \d+: .*SyntaxError.*\. Mend the script"),
        ({"evalscript": "missing.js"}, r"evalscript: there is no file 'missing\.js' in "),
        ({"outputs": ["NDWI"]}, r"outputs: Output NDWI requested but missing .*Choose among NDVI"),
        ({"time_range": ("2020-07-31", "2020-07-01")}, r"time_range: runs backwards, .*Give \(first, last\)"),
        ({"delivery_url": "s3://no-such-bucket/x"}, r"delivery_url: there is no bucket 'no-such-bucket'"),
        ({"delivery_url": "sandbox/x"}, r"delivery_url: 'sandbox/x' is not the URL"),
        ({"delivery_aws_conn_id": None}, r"delivery_aws_conn_id: the service needs either keys or a role"),
        ({"iam_role_arn": "arn:aws:iam::000000000000:role/x"}, r"either keys or a role"),
    ],
)
def test_bad_input_is_named_before_anything_is_created(
    sandbox: Sandbox, change: dict[str, Any], words: str
) -> None:
    with DAG("somewhere", schedule=None):
        operator = create_operator(**change)
    with pytest.raises(AirflowFailException, match=words) as raised:
        run(operator)
    assert "DefinitionError" in str(raised.value)
    assert creates(sandbox) == 0


def test_the_preflight_can_be_left_out(sandbox: Sandbox) -> None:
    request_id, _ = run(create_operator(outputs=["NDWI"], preflight=False))
    assert request_id in sandbox.journal()["requests"]


def test_what_may_be_a_mistake_is_logged(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    run(create_operator(evalscript=NDVI.replace("s.B04)]", "s.B99)]")))
    assert "Evalscript: evaluatePixel() reads B99 of a sample" in capsys.readouterr().out


def test_all_faults_are_named_at_once(sandbox: Sandbox) -> None:
    operator = create_operator(
        tiling_grid_id=42, area=BOW_TIE, time_range=("2021", "x"), outputs=["X"], max_cloud_coverage=-1
    )
    with pytest.raises(AirflowFailException) as raised:
        run(operator)
    for field in ("tiling_grid_id", "area", "time_range", "outputs", "max_cloud_coverage"):
        assert f"- {field}: " in str(raised.value)
    assert "5 faults" in str(raised.value)


def test_a_bucket_without_rights_is_named(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = json.loads(sandbox.connections["AIRFLOW_CONN_AWS_DEFAULT"])
    connection["password"] = "planted-wrong-key"
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    with pytest.raises(
        AirflowFailException, match="'aws_default' has no rights on bucket 'sandbox'"
    ) as raised:
        run(create_operator())
    assert "planted-wrong-key" not in str(raised.value)
    assert creates(sandbox) == 0


def test_a_bucket_that_refuses_to_be_written_to_is_named(sandbox: Sandbox) -> None:
    sandbox.fault("bucket_denied", phase="create")
    with pytest.raises(AirflowFailException, match=r"InvalidRequestError.*delivery"):
        run(create_operator())


def test_storage_that_cannot_be_reached_is_named(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = json.loads(sandbox.connections["AIRFLOW_CONN_AWS_DEFAULT"])
    connection["extra"]["endpoint_url"] = f"http://127.0.0.1:{free_ports(1)[0]}"
    connection["extra"]["config_kwargs"]["retries"] = {"total_max_attempts": 1}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    with pytest.raises(AirflowFailException, match=r"storage of connection 'aws_default' cannot be reached"):
        run(create_operator())
    assert creates(sandbox) == 0


def test_temporary_bucket_keys_are_refused(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = json.loads(sandbox.connections["AIRFLOW_CONN_AWS_DEFAULT"])
    connection["extra"]["aws_session_token"] = "planted-session-token"
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    with pytest.raises(AirflowFailException, match=r"temporary.*iam_role_arn") as raised:
        run(create_operator())
    assert "planted-session-token" not in str(raised.value)


def connection(sandbox: Sandbox, **changes: Any) -> str:
    fields = json.loads(sandbox.connections["AIRFLOW_CONN_SENTINELHUB_DEFAULT"])
    fields["extra"].update(changes.pop("extra", {}))
    return json.dumps({**fields, **changes})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "planted-wrong"}, r"AuthenticationError.*client secret \(password\)"),
        ({"login": "nobody"}, r"AuthenticationError.*client id \(login\)"),
        ({"password": None}, r"connection 'sentinelhub_default' cannot work.*\n.*password: is missing"),
        ({"extra": {"deployment": "mars"}}, r"deployment: 'mars' is not known\. Choose one of aws-eu"),
        ({"extra": {"base_url": ""}}, r"base_url: is missing"),
        ({"extra": {"token_url": "127.0.0.1"}}, r"token_url: '127\.0\.0\.1' is not a URL"),
        ({"extra": {"path_scheme": "v1"}}, r"path_scheme: 'v1' is not known\. Choose new or old"),
    ],
)
def test_a_connection_that_cannot_work_is_named(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SENTINELHUB_DEFAULT", connection(sandbox, **change))
    with pytest.raises(AirflowFailException, match=words) as raised:
        run(create_operator())
    assert "planted-wrong" not in str(raised.value)
    assert creates(sandbox) == 0


def test_an_unreachable_host_is_named_and_can_be_tried_again(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_sentinelhub.client.session.Backoff", lambda: QUICK)
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    monkeypatch.setenv("AIRFLOW_CONN_SENTINELHUB_DEFAULT", connection(sandbox, extra={"base_url": nowhere}))
    with pytest.raises(UnreachableError, match=r"cannot be reached.*base_url"):
        run(create_operator())


def test_a_lost_reply_to_create_says_that_it_may_have_been_done(sandbox: Sandbox) -> None:
    sandbox.fault("drop", method="POST", path="/process", when="after")
    with pytest.raises(LostReplyError, match="may have done the work"):
        run(create_operator())
    sandbox.wait(lambda: creates(sandbox))
    assert creates(sandbox) == 1


# --- the connection itself ---


def test_the_connection_test_says_what_is_wrong(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hook_module.SentinelHubHook().test_connection() == (
        True,
        "Connected: the credentials are good and the account may use Batch Processing.",
    )
    monkeypatch.setenv("AIRFLOW_CONN_SENTINELHUB_DEFAULT", connection(sandbox, password="planted-wrong"))
    works, why = hook_module.SentinelHubHook().test_connection()
    assert not works
    assert "client secret" in why
    assert "planted-wrong" not in why


def test_a_connection_by_uri_is_the_same_as_by_json(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urllib.parse import quote, urlencode

    extra = {"deployment": "custom", "base_url": sandbox.base_url, "token_url": sandbox.token_url}
    user = f"{quote(sandbox.client_id, safe='')}:{quote(sandbox.client_secret, safe='')}"
    uri = f"sentinelhub://{user}@/?{urlencode(extra)}"
    by_json = hook_module.SentinelHubHook().client.deployment
    monkeypatch.setenv("AIRFLOW_CONN_SENTINELHUB_DEFAULT", uri)
    hook = hook_module.SentinelHubHook()
    assert hook.client.deployment == by_json
    hook.client.check()


@pytest.mark.parametrize(
    ("name", "base", "token"),
    [
        ("aws-eu", "https://services.sentinel-hub.com/batch/v2", "services.sentinel-hub.com"),
        ("aws-us-west", "https://services-uswest2.sentinel-hub.com/batch/v2", "services.sentinel-hub.com"),
        ("cdse", "https://sh.dataspace.copernicus.eu/batch/v2", "identity.dataspace.copernicus.eu"),
    ],
)
def test_the_deployments(monkeypatch: pytest.MonkeyPatch, name: str, base: str, token: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_REAL", f"sentinelhub://id:secret@/?deployment={name}")
    found = hook_module.SentinelHubHook("real").client.deployment
    assert found.batch_url == base
    assert token in found.token_url
    assert found.dashboard_url
