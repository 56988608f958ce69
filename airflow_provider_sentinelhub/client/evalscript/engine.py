"""A JavaScript engine with one evalscript in it: limits, calls, and where in the script errors come from."""

from __future__ import annotations

import importlib.util
import json
import math
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

_CPU_SECONDS = 1  # for loading the script and for each call of a function of it
_MEMORY = 64 * 1024 * 1024
# The engine calls every text <input>; the lines of ours begin beyond those of any script.
_OWN_LINES = 100_000
_FRAME = re.compile(r"<input>:(\d+)(?::(\d+))?")


class _Undefined:
    """JavaScript's ``undefined`` where a value was expected."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = _Undefined()


@dataclass
class ScriptError(Exception):
    """The script threw, or was stopped at a limit (``stopped``). ``message`` is the engine's."""

    message: str
    line: int | None = None
    column: int | None = None
    stopped: bool = False

    def __str__(self) -> str:
        return f"{self.message} (line {self.line}, column {self.column})" if self.line else self.message


def can_check() -> bool:
    """Whether the ``evalscript`` extra is installed."""
    return importlib.util.find_spec("quickjs") is not None


class Engine:
    """One script, loaded into a JavaScript context of its own. To be used in the thread that made it.

    :raises ScriptError: the script does not load
    """

    def __init__(self, script: str) -> None:
        import quickjs

        self._errors = (quickjs.JSException, quickjs.StackOverflow)
        context = quickjs.Context()
        context.set_time_limit(_CPU_SECONDS)
        context.set_memory_limit(_MEMORY)
        context.eval(_own("helpers.js"))
        self._host = context.eval(_own("host.js"))
        try:
            # Sloppy mode in the global scope, as the service runs it: scripts count on undeclared globals.
            context.eval(script)
        except self._errors as error:
            raise _read(str(error)) from None
        except ValueError:
            raise ScriptError("it holds NUL or half a surrogate pair") from None

    def call(self, command: str, *values: Any) -> Any:
        """Run a command of ``host.js`` and return its answer.

        :raises ScriptError: the script threw, or did not end
        """
        try:
            answer = self._host(command, *(json.dumps(_encoded(value)) for value in values))
        except self._errors as error:
            raise _read(str(error)) from None
        try:
            return json.loads(answer, object_hook=_decoded)
        except (TypeError, ValueError, RecursionError):  # of a script that tampers with JavaScript itself
            raise ScriptError("it returns what cannot be read") from None


@cache
def _own(name: str) -> str:
    return "\n" * _OWN_LINES + resources.files(__package__).joinpath(name).read_text("utf-8")


def _read(report: str) -> ScriptError:
    """Take the engine's message and trace apart."""
    head, *frames = report.split("\n    at ")
    head = head.removesuffix("\nundefined").strip() or "it throws nothing"
    if head == "InternalError: interrupted":
        return ScriptError(f"does not end: stopped after {_CPU_SECONDS} s of CPU time", stopped=True)
    if head == "InternalError: out of memory":
        return ScriptError(f"takes more than {_MEMORY >> 20} MB of memory", stopped=True)
    for frame in frames:
        place = _FRAME.search(frame)
        if place and int(place[1]) < _OWN_LINES:
            return ScriptError(head, int(place[1]), int(place[2] or 1))
    return ScriptError(head)


# What JSON cannot say is wrapped in an object with this only key.
_WRAP = "\0"


def _encoded(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_WRAP: "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, dict):
        return {key: _encoded(item) for key, item in value.items()}
    return [_encoded(item) for item in value] if isinstance(value, list | tuple) else value


def _decoded(value: dict[str, Any]) -> Any:
    if [*value] != [_WRAP]:
        return value
    return UNDEFINED if value[_WRAP] == "undefined" else float(value[_WRAP])
