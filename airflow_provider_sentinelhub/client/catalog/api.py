"""The Catalog's search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.catalog.scenes import Scene
from airflow_provider_sentinelhub.client.errors import GarbledReplyError
from airflow_provider_sentinelhub.client.http import Call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sentinelhub.client.catalog.query import SceneQuery
    from airflow_provider_sentinelhub.client.session import Session

_WHAT = "Searching the Catalog"


class CatalogClient:
    """Searches the Catalog for a Sentinel Hub account. Safe to share between threads."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def search(self, query: SceneQuery) -> Iterator[Scene]:
        """Go through the scenes that a query names, page by page as they are needed, in the service's order.

        Raises `DefinitionError` for a query that cannot work, before anything is asked, and `TransportError`
        or `ApiError`. A search costs 1 PU per million km² and month, from 0.01 to 1, a page as much.
        """
        body = query.to_wire()
        return self._scenes(body)

    def _scenes(self, body: dict[str, Any]) -> Iterator[Scene]:
        url = f"{self.session.deployment.catalog_url}/search"
        while True:
            page = self.session.json(Call(_WHAT, "POST", url, json=body))
            features = page.get("features") if isinstance(page, dict) else None
            if not isinstance(features, list):
                raise GarbledReplyError(f"{_WHAT}: the answer is not a page of results.")
            yield from map(Scene.from_wire, features)
            # By number and never by the link's URL: its host and path scheme may not be ours.
            following = (page.get("context") or {}).get("next")
            if following is None or not features:
                return
            if not isinstance(following, int) or following <= body.get("next", 0):
                raise GarbledReplyError(f"{_WHAT}: the answer does not lead to a next page.")
            body = {**body, "next": following}
