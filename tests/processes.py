"""Child processes that do not outlive the tests, however these end."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def end_with_parent() -> None:
    """Have the kernel end this process when its parent dies; for ``preexec_fn``, so no imports in here."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
