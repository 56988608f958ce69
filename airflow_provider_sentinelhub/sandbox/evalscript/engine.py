"""An evalscript: what it declares, whether it is sound, and a run of it over pixels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.sandbox.evalscript.script import Script
from airflow_provider_sentinelhub.sandbox.evalscript.spec import parse_setup

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMORY_LIMIT = 256 << 20
TIME_LIMIT = 10.0


class Evalscript:
    """Compile an evalscript V3 and run its ``setup()``.

    Use it only in the thread that made it. ``memory_limit`` (bytes) and ``time_limit`` (CPU seconds, for each
    call into the script: loading, setup, a batch of pixels) always hold; the service's own are not published.

    :raises EvalscriptError: the script does not load, or ``setup()`` fails or returns nonsense
    """

    def __init__(
        self, source: str, *, memory_limit: int = MEMORY_LIMIT, time_limit: float = TIME_LIMIT
    ) -> None:
        self.source = source
        self.memory_limit = memory_limit
        self.time_limit = time_limit
        self.script = Script(source, memory_limit=memory_limit, time_limit=time_limit)
        self.setup = parse_setup(json.loads(self.script.call("setup")))

    def check(
        self,
        collections: Sequence[str],
        responses: Sequence[tuple[str, str]],
        *,
        ids: Sequence[str | None] = (),
        cog: bool = False,
    ) -> list[str]:
        """Look for what would fail the request, before anything is paid for.

        Bands and units of the collections are looked up, responses are compared with the declared outputs,
        and the script's functions are run on a handful of pixels, those without any scene included.

        :param collections: ``input.data[].type`` of the request
        :param responses: identifier and MIME type of each of the request's responses
        :param ids: ``input.data[].id``, None where there is none; data fusion may need them
        :param cog: whether ``cogOutput`` is on
        :return: warnings, e.g. arrays that are longer or shorter than declared
        :raises EvalscriptError: the first fault found
        """
        from airflow_provider_sentinelhub.sandbox.evalscript.check import check

        return check(self, collections, responses, ids=ids, cog=cog)
