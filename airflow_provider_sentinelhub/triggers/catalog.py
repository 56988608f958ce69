"""Wait for imagery without holding a worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sentinelhub.triggers.polling import poll

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from airflow_provider_sentinelhub.client.batch import BatchClient


class SentinelHubCatalogTrigger(BaseTrigger):
    """Fires when the Catalog lists the scenes that are waited for, or the deadline passes.

    The event says why the wait is over, not what was found: whoever resumes looks for itself.

    :param wanted: the scenes, as `WantedScenes.to_record` returns them.
    :param sentinelhub_conn_id: the Airflow connection.
    :param poll_interval: seconds between two looks.
    :param deadline: seconds since the epoch; absolute, so that it survives a restart of the triggerer.
    """

    def __init__(
        self,
        *,
        wanted: Mapping[str, Any],
        sentinelhub_conn_id: str,
        poll_interval: float,
        deadline: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.wanted = wanted
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the constructor's arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "wanted": self.wanted,
                "sentinelhub_conn_id": self.sentinelhub_conn_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until there is something to tell, then fire once."""
        seen = ""

        async def look(client: BatchClient) -> str | None:
            nonlocal seen
            # Footprints are joined in the thread, too: that takes as long as an answer.
            found, lacks = await asyncio.to_thread(self._look, client)
            if found != seen:
                seen = found
                self.log.info("The Catalog lists %s%s", found, f"; {lacks}" if lacks else "")
            return None if lacks else "found"

        why = await poll(look, self.sentinelhub_conn_id, self.poll_interval, self.deadline, self.log)
        yield TriggerEvent({"why": why, "deadline": self.deadline})

    def _look(self, client: BatchClient) -> tuple[str, str]:
        from airflow_provider_sentinelhub.client.catalog import CatalogClient, WantedScenes

        found, lacks = WantedScenes.from_record(self.wanted).look(CatalogClient(client.session))
        return str(found), lacks
