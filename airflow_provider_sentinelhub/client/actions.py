"""Analyse, start and stop, so that asking twice does no harm.

Each looks first, acts once, and settles a lost reply by looking again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.errors import (
    BatchExpiredError,
    InvalidRequestError,
    LostReplyError,
    NotFoundError,
    ServerError,
)
from airflow_provider_sentinelhub.client.judge import analysed, ending_error, started, stoppable, stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sentinelhub.client.batch import BatchClient
    from airflow_provider_sentinelhub.client.models import BatchRequest

# The service may show the status from before an action for a while (seen in the wild): looks, so far apart.
_LOOKS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)


def look(client: BatchClient, request_id: str) -> BatchRequest:
    """Read a request; an id that the service does not know any more raises `BatchExpiredError`."""
    try:
        return client.get(request_id)
    except NotFoundError as error:
        raise BatchExpiredError(request_id, f"is not known to {client.deployment.base_url} (404).") from error


def ensure_analysed(client: BatchClient, request_id: str) -> BatchRequest:
    """Have a request analysed, unless that was asked for before. Raises the bad ending it has come to."""
    return _ensure(client, _living(client, request_id), client.analyse, analysed)


def ensure_started(client: BatchClient, request_id: str) -> BatchRequest:
    """Have a request started, unless that was asked for before; a STOPPED one is started again.

    Raises the bad ending it has come to. The service itself refuses to start what is started already: a
    request is processed and paid for once, however often this is called.
    """
    return _ensure(client, _living(client, request_id), client.start, started)


def ensure_stopped(client: BatchClient, request_id: str) -> BatchRequest:
    """Have a request stopped, unless it has ended already.

    The service refuses a stop while the request has not moved since it was started: that is waited for, a
    minute or so. Raises `IllegalActionError` for a request that never began.
    """
    request = look(client, request_id)
    for pause in _LOOKS:
        if stopped(request) or stoppable(request):
            break
        time.sleep(pause)
        request = look(client, request_id)
    return _ensure(client, request, client.stop, stopped)


def stop_if_running(client: BatchClient, request_id: str) -> bool:
    """Have a request stopped if it costs or is about to cost; says whether that was so."""
    request = look(client, request_id)
    if stopped(request) or not (started(request) or stoppable(request)):
        return False
    ensure_stopped(client, request_id)
    return True


def _living(client: BatchClient, request_id: str) -> BatchRequest:
    request = look(client, request_id)
    ending = ending_error(request)
    if ending is not None and not ending.restartable:
        raise ending
    return request


def _ensure(
    client: BatchClient,
    request: BatchRequest,
    act: Callable[[str], None],
    done: Callable[[BatchRequest], bool],
) -> BatchRequest:
    if done(request):
        return request
    try:
        act(request.id)
    except (LostReplyError, ServerError, InvalidRequestError):
        # Refused or not answered: it may have been done, by this call or by somebody else.
        for pause in _LOOKS[:4]:
            request = look(client, request.id)
            if done(request):
                return request
            time.sleep(pause)
        raise
    return look(client, request.id)
