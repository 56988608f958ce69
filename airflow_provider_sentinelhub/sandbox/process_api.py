"""The Process API: one image, or several of the same bounds, rendered while the caller waits."""

from __future__ import annotations

import io
import tarfile
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from airflow_provider_sentinelhub.sandbox import pricing
from airflow_provider_sentinelhub.sandbox.bodies import scripted_body
from airflow_provider_sentinelhub.sandbox.errors import ApiError, bad_payload, out_of_units
from airflow_provider_sentinelhub.sandbox.evalscript import EvalscriptError
from airflow_provider_sentinelhub.sandbox.grids import parse_crs
from airflow_provider_sentinelhub.sandbox.routing import Endpoint
from airflow_provider_sentinelhub.sandbox.validation import validated_image
from airflow_provider_sentinelhub.sandbox.validation.image import IMAGE_FORMATS, extent, mask

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_sentinelhub.sandbox.oauth import Tokens
    from airflow_provider_sentinelhub.sandbox.records import Account
    from airflow_provider_sentinelhub.sandbox.render import TileJob
    from airflow_provider_sentinelhub.sandbox.services import Services

SPENT = "x-processingunits-spent"

_TAR = ("application/tar", "application/x-tar")
_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/tiff": "tif", "application/json": "json"}

Outputs = list[tuple[str, str]]  # identifiers and MIME types


class ProcessApi:
    """The endpoint."""

    def __init__(self, services: Services, tokens: Tokens) -> None:
        self._services, self._tokens = services, tokens

    def endpoints(self) -> list[Endpoint]:
        """Return the routes; the gateway has already brought both path schemes into the new form."""
        return [Endpoint("/process/v1", POST=self._tokens.guard(self.process))]

    async def process(self, request: Request, account: Account) -> Response:
        """Render what the body describes, and charge for it; only answers with an image cost (documented)."""
        from airflow_provider_sentinelhub.sandbox.render import render

        body = validated_image(await scripted_body(request))
        if account.balance_pu <= 0:
            raise out_of_units()
        outputs = [(r["identifier"], r["format"]["type"]) for r in body["output"]["responses"]]
        media_type, outputs = _negotiated(request.headers.get("accept", "*/*"), outputs)
        try:
            rendered = await self._services.workers.run(render, _job(body, outputs))
        except EvalscriptError as error:
            raise _refusal(str(error)) from error
        except BrokenProcessPool as error:
            raise ApiError(500, "The process that rendered the image died.", "RENDERER_EXCEPTION") from error
        units = pricing.process_units(
            pixels=rendered.pixels,
            bands=rendered.input_bands,
            float32=rendered.float32,
            samples=rendered.samples,
            collections=rendered.collections,
        )
        self._services.store.spend(account.project_id, units)
        files = [(f"{name}.{_EXTENSIONS[mime]}", rendered.files[name]) for name, mime in outputs]
        content = _tar(files) if media_type in _TAR else files[0][1]
        # Not media_type=: the service's images come without a charset, JSON too.
        return Response(content, headers={SPENT: f"{units:.6f}", "content-type": media_type})


def _job(body: dict[str, Any], outputs: Outputs) -> TileJob:
    from airflow_provider_sentinelhub.sandbox.render import TileJob

    bounds, output = body["input"]["bounds"], body["output"]
    formats = {response["identifier"]: response["format"] for response in output["responses"]}
    return TileJob(
        evalscript=body["evalscript"],
        data=body["input"]["data"],
        responses=outputs,
        epsg=parse_crs(bounds["properties"]["crs"]),
        bounds=extent(bounds),
        width=int(output["width"]),
        height=int(output["height"]),
        area_wkb=mask(bounds),
        jpeg_quality={name: int(form["quality"]) for name, form in formats.items() if "quality" in form},
    )


def _negotiated(accept: str, outputs: Outputs) -> tuple[str, Outputs]:
    """Return the MIME type of the answer and the outputs in it.

    ``Accept`` has priority over the body (documented). Several outputs come as a tar archive, which is also
    what they come as without the header; an image type is refused for them (both assumed).
    """
    wanted = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    for mime in wanted:
        if mime in _TAR:
            return mime, outputs
        if mime in ("*/*", "application/*", "image/*", ""):
            break
        if len(outputs) == 1 and mime in IMAGE_FORMATS:
            [(identifier, _)] = outputs
            if (identifier == "userdata") != (mime == "application/json"):
                raise bad_payload(f"Output {identifier} cannot be answered as {mime}.")
            return mime, [(identifier, mime)]
    else:
        raise bad_payload(
            f"The sandbox cannot answer {len(outputs)} output(s) as {accept}: one output may be "
            f"{', '.join(IMAGE_FORMATS)}, several need {' or '.join(_TAR)}."
        )
    return (outputs[0][1] if len(outputs) == 1 else _TAR[0]), outputs


def _refusal(message: str) -> ApiError:
    # The code of scripts that fail is assumed; that of an output missing in setup() was seen in the wild.
    failed = message.startswith("Failed to evaluate script!")
    return ApiError(400, message, "RENDERER_EXCEPTION" if failed else "COMMON_BAD_PAYLOAD")


def _tar(files: list[tuple[str, bytes]]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return target.getvalue()
