"""Tokens, and what happens without a good one."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import requests
from sandbox.batch_calls import Batch, error
from sandbox_driver import Sandbox

KEYCLOAK = "/auth/realms/{realm}/protocol/openid-connect/token"
GRANT = {"grant_type": "client_credentials"}


def ask(sandbox: Sandbox, path: str = KEYCLOAK.format(realm="main"), **arguments: Any) -> requests.Response:
    """Call a token endpoint."""
    return requests.post(f"{sandbox.base_url}{path}", timeout=30, **arguments)


def identity(sandbox: Sandbox) -> dict[str, str]:
    """Return the fields of the default client."""
    return {"client_id": sandbox.client_id, "client_secret": sandbox.client_secret}


@pytest.mark.parametrize(
    "path", [KEYCLOAK.format(realm="main"), KEYCLOAK.format(realm="CDSE"), "/oauth/token"]
)
def test_tokens_are_issued_in_keycloaks_form(sandbox: Sandbox, path: str) -> None:
    answer = ask(sandbox, path, data=GRANT | identity(sandbox))
    assert answer.status_code == 200
    body = answer.json()
    assert {key: value for key, value in body.items() if key != "access_token"} == {
        "expires_in": 3600,
        "refresh_expires_in": 0,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": "email profile",
    }
    claims = json.loads(base64.urlsafe_b64decode(body["access_token"].split(".")[1] + "=="))
    assert claims["azp"] == sandbox.client_id
    assert claims["exp"] - claims["iat"] == 3600
    assert sandbox.call("GET", "/batch/v2/process", token=body["access_token"]).status_code == 200


def test_credentials_may_come_in_a_basic_header(sandbox: Sandbox) -> None:
    answer = ask(sandbox, data=GRANT, auth=(sandbox.client_id, sandbox.client_secret))
    assert answer.status_code == 200
    assert ask(sandbox, data=GRANT, auth=(sandbox.client_id, "wrong")).status_code == 401
    assert ask(sandbox, data=GRANT, headers={"Authorization": "Basic ?"}).status_code == 401


def test_wrong_credentials(sandbox: Sandbox) -> None:
    for fields in ({"client_id": "nobody", "client_secret": "x"}, {"client_id": sandbox.client_id}, {}):
        answer = ask(sandbox, data=GRANT | fields)
        assert answer.status_code == 401
        assert answer.json() == {
            "error": "invalid_client",
            "error_description": "Invalid client or Invalid client credentials",
        }
    legacy = ask(sandbox, "/oauth/token", data=GRANT | {"client_id": sandbox.client_id, "client_secret": "x"})
    body = error(legacy, 400)
    assert (body["message"], body["code"]) == ("Illegal secret!", "OAUTH_ERROR")


def test_unusable_token_calls(sandbox: Sandbox) -> None:
    assert ask(sandbox, data=identity(sandbox)).json()["error"] == "invalid_request"
    password = {"grant_type": "password"} | identity(sandbox)
    assert ask(sandbox, data=password).json()["error"] == "unsupported_grant_type"
    assert ask(sandbox, json=GRANT | identity(sandbox)).status_code == 400
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ask(sandbox, data=b"\xff=%ff&&=;", headers=form).status_code == 400
    assert ask(sandbox, KEYCLOAK.format(realm="x"), data=GRANT).status_code == 404
    assert requests.get(sandbox.token_url, timeout=30).status_code == 405


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer x", "Bearer a.b.c", "Basic eA==", "Bearer \xe9.\xe9.\xe9", "Bearer ."],
)
def test_calls_without_a_good_token(sandbox: Sandbox, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    answer = requests.get(f"{sandbox.base_url}/batch/v2/process", headers=headers, timeout=30)
    body = error(answer, 401)
    assert body["code"] == "COMMON_UNAUTHORIZED"
    assert body["message"].startswith("You are not authorized! Please provide a valid access token")


def test_a_token_with_other_claims_is_refused(sandbox: Sandbox) -> None:
    head, claims, signature = sandbox.token().split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "=="))
    changed["exp"] += 1000
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    error(sandbox.call("GET", "/batch/v2/process", token=f"{head}.{forged}.{signature}"), 401)


def test_tokens_expire_by_the_sandboxs_clock(batch: Batch) -> None:
    batch.sandbox.steer(token_lifetime=60)
    answer = ask(batch.sandbox, data=GRANT | identity(batch.sandbox)).json()
    assert answer["expires_in"] == 60
    batch.token = answer["access_token"]
    batch.create()
    batch.sandbox.advance(60)
    error(batch.call("GET", "/process"), 401)
    batch.renew()
    batch.create()


def test_all_tokens_can_be_made_invalid(batch: Batch) -> None:
    batch.create()
    batch.sandbox.expire_tokens()
    error(batch.call("GET", "/process"), 401)
    batch.renew()
    batch.create()
