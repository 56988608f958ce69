"""A JavaScript context with one evalscript in it: limits, calls, and errors in the service's form."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

from airflow_provider_sentinelhub.sandbox.evalscript.spec import EvalscriptError

# Every piece of code is called <input> by the engine, so lines tell ours from the script's: ours start here.
_HOST_LINE = 100_000
_FRAME = re.compile(r"\(?<input>:(\d+):(\d+)\)?")
_VERSION_3 = re.compile(r"^\s*//\s*VERSION\s*=\s*3\b", re.MULTILINE)


@cache
def _host_code(name: str) -> str:
    return "\n" * _HOST_LINE + resources.files(__package__).joinpath(name).read_text("utf-8")


class Script:
    """One evalscript, loaded.

    Use it only in the thread that made it: the engine is not thread-safe. ``time_limit`` is CPU seconds of
    the process for each single call, ``memory_limit`` bytes of the JavaScript heap.

    :raises EvalscriptError: the source is empty, not V3, or fails while it loads
    """

    def __init__(self, source: str, *, memory_limit: int, time_limit: float) -> None:
        import quickjs

        if not source.strip():
            raise EvalscriptError("Missing or empty evalscript.")
        if not _VERSION_3.search(source):
            raise EvalscriptError("Only evalscripts V3 are supported: start the script with //VERSION=3.")
        self._lines = source.split("\n")
        self._memory_limit = memory_limit
        self._time_limit = time_limit
        self._failures = (quickjs.JSException, quickjs.StackOverflow)
        self._context = quickjs.Context()
        self._context.set_memory_limit(memory_limit)
        self._context.set_time_limit(time_limit)
        self._context.eval(_host_code("prelude.js"))
        self._host = self._context.eval(_host_code("host.js"))
        self.eval(source)  # global and sloppy, as on the service: scripts rely on undeclared variables

    def eval(self, code: str) -> Any:
        """Run code in the global scope."""
        try:
            return self._context.eval(code)
        except self._failures as error:
            raise self._translate(str(error)) from None

    def call(self, command: str, *args: Any) -> str:
        """Run one of the commands of ``host.js``."""
        try:
            answer: str = self._host(command, *args)
        except self._failures as error:
            raise self._translate(str(error)) from None
        return answer

    def _translate(self, report: str) -> EvalscriptError:
        head, *frames = report.split("\n    at ")
        head = head.removesuffix("\nundefined").strip()  # something other than an Error was thrown
        if head.startswith("ServiceError: "):
            return EvalscriptError(head.removeprefix("ServiceError: "))
        if head == "InternalError: interrupted":
            return _failed(f"Execution took more than {self._time_limit:g} s of CPU time.")
        if head == "InternalError: out of memory":
            return _failed(f"Out of memory: the script may use {self._memory_limit >> 20} MB.")
        place = self._place(frames)
        if place is None:
            return _failed(head)
        line, column = place
        # The form of V8's reports inside the service's messages; the file name in them is assumed.
        pointer = " " * (column - 1) + "^"
        return _failed(f"evalscript.js:{line}: {head}\n{self._lines[line - 1].rstrip()}\n{pointer}")

    def _place(self, frames: list[str]) -> tuple[int, int] | None:
        for frame in frames:
            found = _FRAME.search(frame)
            if found and int(found[1]) <= min(len(self._lines), _HOST_LINE):
                return int(found[1]), int(found[2])
        return None


def _failed(reason: str) -> EvalscriptError:
    return EvalscriptError(f"Failed to evaluate script!\n{reason}")
