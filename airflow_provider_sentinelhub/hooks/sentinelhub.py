"""From an Airflow connection of type ``sentinelhub`` to a client."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault, SentinelHubError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from airflow.sdk import Connection

    from airflow_provider_sentinelhub.client.batch import BatchClient
    from airflow_provider_sentinelhub.client.catalog import CatalogClient
    from airflow_provider_sentinelhub.client.delivery.ledger import Ledger
    from airflow_provider_sentinelhub.client.grids import GridTile
    from airflow_provider_sentinelhub.client.grids.offers import Offer
    from airflow_provider_sentinelhub.client.models import TilingGrid
    from airflow_provider_sentinelhub.client.process import ProcessClient
    from airflow_provider_sentinelhub.client.retries import Backoff
    from airflow_provider_sentinelhub.client.spending import Spending


class SentinelHubHook(BaseHook):
    """A client for the account that an Airflow connection names.

    The connection's login is the OAuth client id, its password the client secret. Its extra fields are
    ``deployment`` (``aws-eu``, the default, ``aws-us-west``, ``cdse`` or ``custom``), ``base_url`` and
    ``token_url`` (for ``custom``) and ``path_scheme`` (``new``, the default, or ``old``).

    :param sentinelhub_conn_id: the Airflow connection.
    :param backoff: how often and after what pauses a call is repeated.
    """

    conn_name_attr = "sentinelhub_conn_id"
    default_conn_name = "sentinelhub_default"
    conn_type = "sentinelhub"
    hook_name = "Sentinel Hub"

    def __init__(
        self, sentinelhub_conn_id: str = default_conn_name, *, backoff: Backoff | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self._backoff = backoff

    @cached_property
    def client(self) -> BatchClient:
        """The client; made at first use. Raises `DefinitionError` for a connection that cannot work."""
        return client_of(self.get_connection(self.sentinelhub_conn_id), self._backoff)

    @property
    def process(self) -> ProcessClient:
        """The Process API of the same account, over the same connections."""
        from airflow_provider_sentinelhub.client.process import ProcessClient

        return ProcessClient(self.client.session)

    @property
    def catalog(self) -> CatalogClient:
        """The Catalog of the same account, over the same connections."""
        from airflow_provider_sentinelhub.client.catalog import CatalogClient

        return CatalogClient(self.client.session)

    def get_conn(self) -> BatchClient:
        """Return the client."""
        return self.client

    async def aget_conn(self) -> BatchClient:
        """Return the client from within an event loop, which the look-up of the connection does not block."""
        return client_of(await self.aget_connection(self.sentinelhub_conn_id), self._backoff)

    def list_grids(self) -> list[TilingGrid]:
        """Ask the service for its tiling grids, by id."""
        return sorted(self.client.iter_tiling_grids(), key=lambda grid: grid.id)

    def describe_grid(self, grid_id: int) -> TilingGrid:
        """Ask the service for one tiling grid; `NotFoundError` if it does not have it."""
        return self.client.get_tiling_grid(grid_id)

    def fitting_grids(self, resolution: float, unit: str = "METRE") -> list[Offer]:
        """Ask the service which grids have a resolution, or the next finer one; the closest come first.

        ``resolution`` is in ``unit``: ``METRE`` or ``DEGREE``. Grids that have but coarser ones are left out.
        """
        from airflow_provider_sentinelhub.client.grids.offers import offers

        return offers(resolution, self.client.iter_tiling_grids(), unit)

    def tiles_of(
        self,
        area: Any,
        grid_id: int,
        resolution: float | None = None,
        *,
        area_crs: Any = None,
        area_conn_id: str | None = None,
    ) -> tuple[list[GridTile], str]:
        """Return the tiles that an area touches, and what is assumed about them; nothing is asked for.

        ``area`` is whatever `Area.read` takes; ``area_conn_id`` opens a URL. Raises `DefinitionError` for an
        area that cannot be read, and for a grid or a resolution that is not published.
        """
        from airflow_provider_sentinelhub.client.areas import Area
        from airflow_provider_sentinelhub.client.grids import caveat, tiles_of
        from airflow_provider_sentinelhub.hooks.opening import ObjectOpener

        read = (
            area
            if isinstance(area, Area)
            else Area.read(area, crs=area_crs, opener=ObjectOpener(area_conn_id))
        )
        return tiles_of(read, grid_id, resolution), caveat(grid_id)

    @contextmanager
    def open_delivery(
        self, request_id: str, aws_conn_id: str = "aws_default", delivery: str | None = None
    ) -> Iterator[Ledger]:
        """Open what a request has delivered so far: its ``report``, its ``tiles()`` and its ``lost()`` ones.

        ``delivery`` is the ``s3://`` folder, as operators return it: it is needed only for a request that the
        service has forgotten. Raises `BatchExpiredError` for one without it, and `DeliveryError` for records
        that cannot be read.
        """
        from airflow_provider_sentinelhub.client.actions import look
        from airflow_provider_sentinelhub.client.delivery.folder import DeliveryFolder
        from airflow_provider_sentinelhub.client.delivery.ledger import open_ledger
        from airflow_provider_sentinelhub.client.errors import BatchExpiredError
        from airflow_provider_sentinelhub.client.judge import forgotten
        from airflow_provider_sentinelhub.hooks.delivery import bucket_client

        try:
            request = look(self.client, request_id)
        except BatchExpiredError:
            if delivery is None:
                raise
            request = forgotten(request_id)
        folder = DeliveryFolder.parse(delivery) if delivery else None
        with open_ledger(bucket_client(aws_conn_id), request, folder) as ledger:
            yield ledger

    def spending(self, since: datetime | None = None, until: datetime | None = None) -> list[Spending]:
        """Sum up what the account's requests have cost, by Dag and month: see `client.spending`."""
        from airflow_provider_sentinelhub.client.spending import spending

        return spending(self.client, since, until)

    def test_connection(self) -> tuple[bool, str]:
        """Fetch a token and ask for the account's batch requests; says what is wrong, if anything."""
        from airflow_provider_sentinelhub.client.retries import Backoff

        try:
            # Somebody is waiting at a form: one try, no pauses.
            self._backoff = Backoff(attempts=1)
            self.client.check()
        except SentinelHubError as error:
            return False, str(error)
        finally:
            self.__dict__.pop("client", None)
        return True, "Connected: the credentials are good and the account may use Batch Processing."


def client_of(connection: Connection, backoff: Backoff | None = None) -> BatchClient:
    """Make the client that a connection describes; raises `DefinitionError` that names every fault in it."""
    from airflow_provider_sentinelhub.client.batch import BatchClient
    from airflow_provider_sentinelhub.client.deployments import Credentials, deployment

    subject = f"connection {connection.conn_id!r}"
    extra = connection.extra_dejson
    faults = []
    if not connection.login:
        faults.append(Fault("login", "is missing", "Give the OAuth client's id"))
    if not connection.password:
        faults.append(Fault("password", "is missing", "Give the OAuth client's secret"))
    try:
        found = deployment(
            extra.get("deployment"),
            base_url=extra.get("base_url"),
            token_url=extra.get("token_url"),
            path_scheme=extra.get("path_scheme"),
        )
    except DefinitionError as error:
        raise DefinitionError([*faults, *error.faults], subject) from None
    if faults:
        raise DefinitionError(faults, subject)
    return BatchClient(found, Credentials(connection.login or "", connection.password or ""), backoff=backoff)


@contextmanager
def failing_for_good() -> Iterator[None]:
    """Turn an error that no retry can help into Airflow's `AirflowFailException`, its name kept in front."""
    try:
        yield
    except SentinelHubError as error:
        if error.retryable:
            raise
        raise AirflowFailException(f"{type(error).__name__}: {error}") from error
