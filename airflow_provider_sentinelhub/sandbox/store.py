"""Everything the sandbox must not forget, in one SQLite file.

The file holds the credentials of requests and accounts, so only its owner may read it. Write-ahead logging
makes a commit survive ``kill -9``. One thread, the event loop's, uses the connection: there is no locking,
and a read and the write that follows it are one step as long as nothing is awaited between them.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import uuid
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox.manifest import FeatureState
from airflow_provider_sentinelhub.sandbox.records import Account, Task, TileRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (
  client_id TEXT PRIMARY KEY, client_secret TEXT NOT NULL, project_id TEXT NOT NULL UNIQUE,
  workspace_id TEXT NOT NULL, balance_pu REAL NOT NULL);
CREATE TABLE IF NOT EXISTS tasks (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, project_id TEXT NOT NULL, body TEXT NOT
  NULL, description TEXT, status TEXT NOT NULL, user_action TEXT NOT NULL, user_action_updated REAL,
  action_polls INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL, last_updated REAL NOT NULL, error TEXT,
  stopped_reason TEXT, stopped_at REAL, cost_pu REAL NOT NULL DEFAULT 0, picked_up INTEGER NOT NULL DEFAULT 1,
  polls INTEGER NOT NULL DEFAULT 0, mark_time REAL NOT NULL, mark_polls INTEGER NOT NULL DEFAULT 0, mark_tiles
  INTEGER NOT NULL DEFAULT 0, tiles_total INTEGER NOT NULL DEFAULT 0, tiles_done INTEGER NOT NULL DEFAULT 0,
  previous_status TEXT, stale_polls INTEGER NOT NULL DEFAULT 0, forgotten INTEGER NOT NULL DEFAULT 0, creates
  INTEGER NOT NULL DEFAULT 1, analyses INTEGER NOT NULL DEFAULT 0, starts INTEGER NOT NULL DEFAULT 0, stops
  INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS tasks_by_project ON tasks (project_id, seq);
CREATE TABLE IF NOT EXISTS tiles (
  task TEXT NOT NULL, ordinal INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, epsg INTEGER NOT
  NULL, min_x REAL NOT NULL, min_y REAL NOT NULL, max_x REAL NOT NULL, max_y REAL NOT NULL, width INTEGER NOT
  NULL, height INTEGER NOT NULL, status TEXT NOT NULL DEFAULT 'PENDING', error TEXT, delivered INTEGER NOT
  NULL DEFAULT 0, pu REAL NOT NULL DEFAULT 0, PRIMARY KEY (task, ordinal)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outlines (
  task TEXT NOT NULL, ordinal INTEGER NOT NULL, wkb BLOB NOT NULL, PRIMARY KEY (task, ordinal)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS calls (
  id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
  status INTEGER NOT NULL, request_id TEXT, fault INTEGER);
CREATE TABLE IF NOT EXISTS faults (
  id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, state TEXT NOT NULL);
"""

_JOURNAL_LIMIT = 100_000  # calls remembered; a sandbox polled for weeks must not fill the disk


_TASK_COLUMNS = ", ".join(field.name for field in fields(Task))


class Store:
    """The SQLite file behind the sandbox."""

    def __init__(self, path: Path) -> None:
        # Created before SQLite opens it, so that it is never readable for others, not even for a moment.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the statements inside one commit."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # -- settings and accounts

    def setting(self, key: str, default: Any) -> Any:
        """Return a JSON setting."""
        row = self._db.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
        return default if row is None else json.loads(row[0])

    def set_setting(self, key: str, value: Any) -> None:
        """Store a JSON setting."""
        self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, json.dumps(value)))

    def accounts(self) -> list[Account]:
        """Return all accounts, the default one first."""
        rows = self._db.execute("SELECT * FROM accounts ORDER BY rowid")
        return [Account(**dict(row)) for row in rows]

    def account(self, client_id: str) -> Account | None:
        """Return the account of a client id."""
        row = self._db.execute("SELECT * FROM accounts WHERE client_id = ?", (client_id,)).fetchone()
        return None if row is None else Account(**dict(row))

    def add_account(self, client_id: str, client_secret: str | None, balance_pu: float) -> Account:
        """Add an account, with a random secret unless one is given."""
        account = Account(
            client_id,
            client_secret or secrets.token_urlsafe(24),
            str(uuid.uuid4()),
            str(uuid.uuid4()),
            balance_pu,
        )
        self._db.execute(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, ?)",
            (client_id, account.client_secret, account.project_id, account.workspace_id, balance_pu),
        )
        return account

    def balance(self, project_id: str) -> float:
        """Return the processing units left to a project."""
        row = self._db.execute(
            "SELECT balance_pu FROM accounts WHERE project_id = ?", (project_id,)
        ).fetchone()
        return float(row[0])

    def spend(self, project_id: str, pu: float) -> None:
        """Charge an account for a call that belongs to no request."""
        self._db.execute(
            "UPDATE accounts SET balance_pu = balance_pu - ? WHERE project_id = ?", (pu, project_id)
        )

    def set_balance(self, balance_pu: float) -> None:
        """Give every account the same balance."""
        self._db.execute("UPDATE accounts SET balance_pu = ?", (balance_pu,))

    # -- tasks

    def add_task(self, task_id: str, project_id: str, body: dict[str, Any], now: float) -> None:
        """Store a new request, CREATED."""
        self._db.execute(
            "INSERT INTO tasks (id, project_id, body, description, status, user_action, created,"
            " last_updated, mark_time) VALUES (?, ?, ?, ?, 'CREATED', 'NONE', ?, ?, ?)",
            (task_id, project_id, json.dumps(body), body.get("description"), now, now, now),
        )

    def task(self, task_id: str, project_id: str | None = None) -> Task | None:
        """Return a request; ``None`` if it is unknown, forgotten or another project's."""
        row = self._db.execute(
            f"SELECT {_TASK_COLUMNS} FROM tasks WHERE id = ? AND NOT forgotten",  # noqa: S608
            (task_id,),
        ).fetchone()
        if row is None or project_id not in (None, row["project_id"]):
            return None
        return Task.of(row)

    def tasks(
        self, project_id: str, *, order: str, offset: int, limit: int, words: Sequence[Sequence[str]] = ()
    ) -> list[Task]:
        """Return a page of a project's requests; one word of each group must be in the description."""
        where, values = ["project_id = ?", "NOT forgotten"], [project_id]
        for group in words:
            where.append(
                "(" + " OR ".join(["instr(lower(ifnull(description, '')), ?) > 0"] * len(group)) + ")"
            )
            values.extend(word.lower() for word in group)
        rows = self._db.execute(
            f"SELECT {_TASK_COLUMNS} FROM tasks WHERE {' AND '.join(where)}"  # noqa: S608 - our words
            f" ORDER BY {order} LIMIT ? OFFSET ?",
            (*values, limit, offset),
        )
        return [Task.of(row) for row in rows]

    def unfinished(self) -> list[str]:
        """Return the ids of the requests a restarted engine has to look at."""
        rows = self._db.execute(
            "SELECT id FROM tasks WHERE status NOT IN ('DONE', 'FAILED') AND NOT forgotten"
        )
        return [row[0] for row in rows]

    def update_task(self, task_id: str, **columns: Any) -> None:
        """Set columns of a request."""
        names = ", ".join(f"{name} = ?" for name in columns)
        self._db.execute(f"UPDATE tasks SET {names} WHERE id = ?", (*columns.values(), task_id))  # noqa: S608

    def count(self, task_id: str, column: str) -> None:
        """Add one to a counter of a request."""
        self._db.execute(f"UPDATE tasks SET {column} = {column} + 1 WHERE id = ?", (task_id,))  # noqa: S608

    # -- tiles

    def set_tiles(self, task_id: str, tiles: Sequence[TileRow], outlines: Mapping[int, bytes]) -> None:
        """Replace the tiles of a request; `outlines`, by ordinal, of those that do not fill their bounds."""
        done = sum(tile.status != "PENDING" for tile in tiles)
        with self.transaction():
            self.update_task(task_id, tiles_total=len(tiles), tiles_done=done)
            for table in ("tiles", "outlines"):
                self._db.execute(f"DELETE FROM {table} WHERE task = ?", (task_id,))  # noqa: S608 - our words
            self._db.executemany(
                "INSERT INTO tiles VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                ((task_id, *tile.columns()) for tile in tiles),
            )
            self._db.executemany(
                "INSERT INTO outlines VALUES (?, ?, ?)",
                ((task_id, ordinal, wkb) for ordinal, wkb in outlines.items()),
            )

    def tiles(self, task_id: str) -> list[TileRow]:
        """Return the tiles of a request in order."""
        rows = self._db.execute("SELECT * FROM tiles WHERE task = ? ORDER BY ordinal", (task_id,))
        return [TileRow.of(row) for row in rows]

    def outline(self, task_id: str, ordinal: int) -> bytes | None:
        """Return the WKB of a tile's outline; ``None`` if it fills its bounds."""
        row = self._db.execute(
            "SELECT wkb FROM outlines WHERE task = ? AND ordinal = ?", (task_id, ordinal)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def states(self, task_id: str) -> list[FeatureState]:
        """Return how far the tiles of a request are, in order."""
        rows = self._db.execute(
            "SELECT id, name, status, error, delivered FROM tiles WHERE task = ? ORDER BY ordinal", (task_id,)
        )
        return [FeatureState(row[0], row[1], row[2], row[3], bool(row[4])) for row in rows]

    def finish_tile(
        self,
        task: Task,
        ordinal: int,
        *,
        status: str,
        error: str | None,
        delivered: bool,
        pu: float,
        now: float,
    ) -> None:
        """Finish a tile and charge for it in one commit: no crash can charge twice or deliver for nothing."""
        with self.transaction():
            changed = self._db.execute(
                "UPDATE tiles SET status = ?, error = ?, delivered = ?, pu = ?"
                " WHERE task = ? AND ordinal = ? AND status = 'PENDING'",
                (status, error, delivered, pu, task.id, ordinal),
            ).rowcount
            if changed:
                self.count(task.id, "tiles_done")
                self._charge(task, pu, now)

    def charge(self, task: Task, pu: float, now: float) -> None:
        """Charge a request and its account."""
        with self.transaction():
            self._charge(task, pu, now)

    def _charge(self, task: Task, pu: float, now: float) -> None:
        self._db.execute(
            "UPDATE tasks SET cost_pu = cost_pu + ?, last_updated = ? WHERE id = ?", (pu, now, task.id)
        )
        self.spend(task.project_id, pu)

    # -- journal

    def add_call(
        self, time: float, method: str, path: str, *, status: int, request_id: str | None, fault: int | None
    ) -> None:
        """Remember one call. ``status`` 0 stands for a connection closed without an answer."""
        cursor = self._db.execute(
            "INSERT INTO calls (time, method, path, status, request_id, fault) VALUES (?, ?, ?, ?, ?, ?)",
            (time, method, path, status, request_id, fault),
        )
        number = cursor.lastrowid or 0
        if number % 1000 == 0:
            self._db.execute("DELETE FROM calls WHERE id <= ?", (number - _JOURNAL_LIMIT,))

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls remembered, oldest first."""
        rows = self._db.execute("SELECT time, method, path, status, request_id, fault FROM calls ORDER BY id")
        return [dict(row) for row in rows]

    def tallies(self) -> dict[str, dict[str, Any]]:
        """Return per request how often each action was accepted, and what was billed; forgotten ones too."""
        rows = self._db.execute(
            "SELECT id, creates, analyses, starts, stops, cost_pu AS pu, status FROM tasks ORDER BY seq"
        )
        return {tally.pop("id"): tally for tally in map(dict, rows)}

    def clear_journal(self) -> None:
        """Forget calls and set the counters of all requests to zero; what was billed stays."""
        with self.transaction():
            self._db.execute("DELETE FROM calls")
            self._db.execute("UPDATE tasks SET creates = 0, analyses = 0, starts = 0, stops = 0")

    # -- faults

    def faults(self) -> list[tuple[int, dict[str, Any], dict[str, Any]]]:
        """Return all fault rules as (id, rule, state)."""
        rows = self._db.execute("SELECT id, rule, state FROM faults ORDER BY id")
        return [(row[0], json.loads(row[1]), json.loads(row[2])) for row in rows]

    def add_fault(self, rule: dict[str, Any], state: dict[str, Any]) -> int:
        """Store a fault rule and return its id."""
        cursor = self._db.execute(
            "INSERT INTO faults (rule, state) VALUES (?, ?)", (json.dumps(rule), json.dumps(state))
        )
        return int(cursor.lastrowid or 0)

    def save_fault(self, fault_id: int, state: dict[str, Any]) -> None:
        """Store how often a fault has hit."""
        self._db.execute("UPDATE faults SET state = ? WHERE id = ?", (json.dumps(state), fault_id))

    def delete_fault(self, fault_id: int | None) -> None:
        """Remove one fault rule, or all."""
        self._db.execute("DELETE FROM faults WHERE ? IS NULL OR id = ?", (fault_id, fault_id))
