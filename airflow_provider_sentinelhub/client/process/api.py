"""The Process API's one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.http import Call
from airflow_provider_sentinelhub.client.process.formats import PNG
from airflow_provider_sentinelhub.client.process.images import Images

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sentinelhub.client.session import Session

# Seconds to connect, and for an image to be rendered: to give up is to pay for it without having it.
_TIMEOUT = (10.0, 300.0)


class ProcessClient:
    """Renders images for a Sentinel Hub account. Safe to share between threads."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def process(self, request: Mapping[str, Any]) -> Images:
        """Render what a request asks for, in its wire form; raises `TransportError` or `ApiError`.

        It changes nothing, so it is repeated after any passing fault. Each answer with an image is charged,
        the one whose reply was lost included.
        """
        responses = request.get("output", {}).get("responses") or [{}]
        formats = {
            one.get("identifier", "default"): one.get("format", {}).get("type", PNG) for one in responses
        }
        accept = next(iter(formats.values())) if len(formats) == 1 else "application/tar"
        call = Call(
            "Rendering an image",
            "POST",
            self.session.deployment.process_url,
            json=request,
            accept=accept,
            timeout=_TIMEOUT,
        )
        return self.session.read(call, lambda reply: Images.from_reply(reply, formats))
