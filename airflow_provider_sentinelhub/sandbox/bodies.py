"""Request bodies: JSON, or multipart with the evalscript in a part of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import UploadFile

from airflow_provider_sentinelhub.sandbox.errors import bad_payload, unsupported_media_type
from airflow_provider_sentinelhub.sandbox.routing import parsed

if TYPE_CHECKING:
    from starlette.requests import Request


async def json_body(request: Request) -> object:
    """Return the JSON value of a body; raises 400 and 415 as the service does."""
    content = await request.body()
    if not content.strip():
        raise bad_payload("Request body should be non-empty.")
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise unsupported_media_type(content_type)
    return parsed(content)


async def scripted_body(request: Request, *holder: str) -> object:
    """Return a body whose evalscript may come apart: JSON, or the parts ``request`` and ``evalscript``.

    :param holder: keys of the body that lead to the object which has the evalscript
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await json_body(request)
    form = await request.form()
    parts = {name: await _text(form.get(name)) for name in ("request", "evalscript")}
    body = parsed((parts["request"] or "").encode())
    process = body
    for key in holder:
        process = process.get(key) if isinstance(process, dict) else None
    if parts["evalscript"] is not None and isinstance(process, dict):
        process["evalscript"] = parts["evalscript"]
    return body


async def _text(part: UploadFile | str | None) -> str | None:
    return (await part.read()).decode("utf-8", "replace") if isinstance(part, UploadFile) else part
