"""Found before created: a create whose reply was lost, or whose caller died, is never made a second time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_sentinelhub.client.errors import GarbledReplyError, LostReplyError, ServerError
from airflow_provider_sentinelhub.client.judge import adoptable, begun
from airflow_provider_sentinelhub.client.models import CLOCK_SKEW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_sentinelhub.client.batch import BatchClient
    from airflow_provider_sentinelhub.client.fingerprint import Fingerprint
    from airflow_provider_sentinelhub.client.models import BatchRequest

# A create that was sent may stay unseen in the list for a while: until then it may have been done.
SETTLE_SECONDS = 30.0
_LOOK_EVERY = 2.0
_REPLY_LOST = (LostReplyError, ServerError, GarbledReplyError)


class Memory(Protocol):
    """What an asker must not forget between two attempts; times are seconds since the epoch."""

    since: float | None
    """When it first looked: its requests are not older. None: not known, they may be of any age."""

    creating: float | None
    """When it last sent a create of which it does not know the outcome."""

    def save(self) -> None:
        """Make it last."""


@dataclass(frozen=True)
class Asker:
    """Somebody who wants one request: whose, as marked by a fingerprint, and what is remembered of it."""

    client: BatchClient
    fingerprint: Fingerprint
    memory: Memory

    def find(self) -> BatchRequest | None:
        """Look for the asker's request among the account's, newest first and no further back than needed.

        Of several, which two attempts at once may leave behind, every attempt picks the same one: one that
        was started, else the oldest. A FAILED one cannot go on and is passed over.
        """
        found = []
        for request in self.client.iter_requests(sort="created:desc"):
            if self._too_old(request):
                break
            if self.fingerprint.marks(request.description) and adoptable(request):
                found.append(request)
        found.reverse()
        return next((request for request in found if begun(request)), found[0] if found else None)

    def find_or_create(self, definition: Mapping[str, Any]) -> tuple[BatchRequest, bool]:
        """Return the asker's request and whether it was created now; costs nothing either way.

        Raises the create's own error if its reply was lost and it cannot be found.
        """
        if (found := self._find_what_may_be_there()) is not None:
            return found, False
        self.memory.creating = time.time()
        self.memory.save()
        try:
            request = self.client.create(definition)
        except _REPLY_LOST:
            if (found := self._find_what_may_be_there()) is None:
                raise
            request = found
        self.memory.creating = None
        self.memory.save()
        return request, True

    def _find_what_may_be_there(self) -> BatchRequest | None:
        """Look until a create that was sent must have shown."""
        while (found := self.find()) is None:
            left = (self.memory.creating or 0) + SETTLE_SECONDS - time.time()
            if left <= 0:
                return None
            time.sleep(min(_LOOK_EVERY, left))
        return found

    def _too_old(self, request: BatchRequest) -> bool:
        if self.memory.since is None or request.created is None:
            return False
        since = datetime.fromtimestamp(self.memory.since, timezone.utc)
        return request.created < since - CLOCK_SKEW
