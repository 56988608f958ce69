"""The sum of a delivery, and whether it is good enough."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.delivery.tiles import LostTile
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault, IncompleteDeliveryError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from airflow_provider_sentinelhub.client.delivery.folder import DeliveryFolder
    from airflow_provider_sentinelhub.client.models import BatchRequest

# Lost tiles that a report keeps by name; the ledger has them all.
NAMED = 20
_IN_A_MESSAGE = 5


@dataclass(frozen=True)
class Share:
    """What of a delivery belongs to one output or one CRS; ``expected`` and ``delivered`` are files."""

    name: str
    expected: int
    delivered: int
    bytes: int


@dataclass(frozen=True)
class TileReport:
    """The tiles of one request, each counted once.

    ``expected`` = ``delivered`` + ``no_data`` + ``blank`` + ``failed`` + ``pending`` + ``missing``.
    ``missing`` tiles lack at least one output on the bucket; ``blank`` ones are of Zarr, which leaves out
    what holds only its fill value: such a tile cannot be told from a lost one. ``unexpected`` counts
    objects among the delivered ones that nobody planned. ``bytes`` are those of the delivered tiles.
    ``lost`` names the first of the failed, pending and missing tiles. ``repairs`` are the requests whose
    account is included.
    """

    request_id: str
    delivery: str
    expected: int
    delivered: int
    no_data: int
    blank: int
    failed: int
    pending: int
    missing: int
    unexpected: int
    bytes: int
    outputs: tuple[Share, ...]
    crs: tuple[Share, ...]
    lost: tuple[LostTile, ...]
    repairs: tuple[str, ...] = ()

    @property
    def lost_count(self) -> int:
        """How many tiles should be there and are not."""
        return self.failed + self.pending + self.missing

    @property
    def complete(self) -> bool:
        """Whether every tile is there or is known to hold no data."""
        return self.lost_count == 0

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TileReport:
        """Read what `to_dict` returned, even by way of JSON."""
        fields = dict(values)
        for name in ("outputs", "crs"):
            fields[name] = tuple(Share(**share) for share in fields[name])
        fields["lost"] = tuple(LostTile(**tile) for tile in fields["lost"])
        fields["repairs"] = tuple(fields["repairs"])
        return cls(**fields)

    def counts(self) -> dict[str, int]:
        """Return the plain numbers, for an XCom or an asset event."""
        names = ("expected", "delivered", "no_data", "blank", "failed", "pending", "missing", "unexpected")
        return {**{name: getattr(self, name) for name in names}, "bytes": self.bytes}

    @property
    def headline(self) -> str:
        """It in one line."""
        return (
            f"Batch request {self.request_id} delivered {self.delivered} of {self.expected} tiles, "
            f"{_size(self.bytes)}, to {self.delivery}"
        )

    def table(self) -> str:
        """Return it as a small table."""
        rows = [
            f"{'tiles':<12}{'expected':>10}{'delivered':>11}"
            f"{'no data':>9}{'failed':>8}{'pending':>9}{'missing':>9}",
            f"{'':<12}{self.expected:>10}{self.delivered:>11}{self.no_data + self.blank:>9}"
            f"{self.failed:>8}{self.pending:>9}{self.missing:>9}",
            f"{'files':<12}{'expected':>10}{'delivered':>11}{'size':>12}",
        ]
        rows += [
            f"{share.name[:24]:<12}{share.expected:>10}{share.delivered:>11}{_size(share.bytes):>12}"
            for share in (*self.outputs, *self.crs)
        ]
        notes = []
        if self.blank:
            notes.append(f"{self.blank} tiles without data hold only fill values in Zarr, or were lost there")
        if self.unexpected:
            notes.append(f"{self.unexpected} objects among them that nobody planned")
        if self.repairs:
            notes.append(f"repaired by {', '.join(self.repairs)}")
        notes += [str(tile) for tile in self.lost]
        if self.lost_count > len(self.lost):
            notes.append(f"and {self.lost_count - len(self.lost)} more")
        return "\n".join([*rows, *notes])


@dataclass(frozen=True)
class DeliveryPolicy:
    """How much may be lost: ``max_failed_tiles`` as a count, or a percentage such as ``"2%"``, of all tiles.

    It counts failed, pending and missing tiles. ``no_data`` says whether tiles without data are fine.
    """

    max_failed_tiles: int | str = 0
    no_data: str = "ok"

    def faults(self) -> Iterator[Fault]:
        """Name what is wrong with it."""
        if self._limit(100) is None:
            yield Fault(
                "max_failed_tiles",
                f"{self.max_failed_tiles!r} is neither a count nor a percentage",
                "Give a number of tiles, or a percentage such as '2%'",
            )
        if self.no_data not in ("ok", "fail"):
            yield Fault("no_data", f"{self.no_data!r} is not known", "Choose 'ok' or 'fail'")

    def check_itself(self) -> None:
        """Raise `DefinitionError` if it cannot work."""
        faults = list(self.faults())
        if faults:
            raise DefinitionError(faults, subject="delivery policy")

    def check(self, report: TileReport) -> None:
        """Raise `IncompleteDeliveryError` if the report does not satisfy it."""
        self.check_itself()
        problems = []
        if report.lost_count > (self._limit(report.expected) or 0):
            named = "; ".join(str(tile) for tile in report.lost[:_IN_A_MESSAGE])
            rest = report.lost_count - min(len(report.lost), _IN_A_MESSAGE)
            more = f" and {rest} more" if rest else ""
            problems.append(
                f"{report.lost_count} of {report.expected} tiles were not delivered: {named}{more}"
            )
        empty = report.no_data + report.blank
        if self.no_data == "fail" and empty:
            problems.append(f"{empty} of {report.expected} tiles hold no data")
        if problems:
            raise IncompleteDeliveryError(
                report.request_id, f"has not delivered everything: {'; '.join(problems)}."
            )

    def _limit(self, expected: int) -> int | None:
        text = str(self.max_failed_tiles).strip()
        try:
            value = float(text.removesuffix("%"))
        except ValueError:
            return None
        if not math.isfinite(value) or value < 0 or isinstance(self.max_failed_tiles, bool):
            return None
        if text.endswith("%"):
            return math.floor(expected * value / 100) if value <= 100 else None
        return int(value) if value.is_integer() else None


def report_of(
    ledger: sqlite3.Connection,
    request: BatchRequest,
    folder: DeliveryFolder,
    unexpected: int,
    repairs: Sequence[str],
) -> TileReport:
    """Count what a ledger holds."""
    counts = dict(ledger.execute("SELECT state, count(*) FROM tile GROUP BY state"))
    [delivered_bytes] = ledger.execute(
        "SELECT coalesce(sum(bytes), 0) FROM tile WHERE state = 'delivered'"
    ).fetchone()
    lost = ledger.execute(
        "SELECT name, state, reason FROM tile WHERE state IN ('failed', 'pending', 'missing') "
        "ORDER BY name LIMIT ?",
        (NAMED,),
    )
    return TileReport(
        request_id=request.id,
        delivery=folder.url,
        expected=sum(counts.values()),
        delivered=counts.get("delivered", 0),
        no_data=counts.get("no data", 0),
        blank=counts.get("blank", 0),
        failed=counts.get("failed", 0),
        pending=counts.get("pending", 0),
        missing=counts.get("missing", 0),
        unexpected=unexpected,
        bytes=delivered_bytes,
        outputs=_shares(ledger, "p.output"),
        crs=_shares(ledger, "l.crs"),
        lost=tuple(LostTile(*row) for row in lost),
        repairs=tuple(repairs),
    )


def _shares(ledger: sqlite3.Connection, column: str) -> tuple[Share, ...]:
    rows = ledger.execute(
        f"SELECT {column}, count(*), sum(t.state = 'delivered'), "  # noqa: S608
        "sum(CASE WHEN t.state = 'delivered' THEN coalesce(f.size, 0) ELSE 0 END) "
        "FROM planned p JOIN tile t ON t.name = p.tile JOIN layer l ON l.id = p.layer "
        f"LEFT JOIN found f USING (path, tile, output) GROUP BY {column} ORDER BY {column}"
    )
    return tuple(Share(*row) for row in rows)


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
