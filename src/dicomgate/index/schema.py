"""The index's tables: made on first use, brought up to date by numbered migrations, each in one transaction (D8)."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

from dicomgate import errors
from dicomgate.index import connections, registered

_MIGRATION = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sqlite\.sql")
_OLDEST = (3, 34, 0)  # brought the trigram tokenizer
APPLICATION = 0x44474958
"""Written into the file's header, so that a stranger's database is not taken for ours ("DGIX")."""


def migrations() -> dict[int, str]:
    """Every version's SQL, by number."""
    folder = resources.files("dicomgate.index") / "migrations"
    found = {file.name: file for file in folder.iterdir()}
    return {
        int(match[1]): found[name].read_text("utf-8") for name in sorted(found) if (match := _MIGRATION.fullmatch(name))
    }


def prepare(path: Path) -> None:
    """Make the tables, or bring them up to date. Any number of processes may do so at once.

    Raises Conflict for a file of a newer dicomgate or of another program, Unavailable if it cannot be written.
    """
    _require_sqlite()
    try:
        # Always durable, whatever is chosen for the rows: a half-made index could not be told from a damaged one.
        connection = connections.connect(path, durable=True)
    except errors.Unavailable as error:
        cause = error.__cause__
        if isinstance(cause, sqlite3.Error) and connections.code(cause) == sqlite3.SQLITE_NOTADB:
            raise errors.Conflict("the index file is no SQLite database") from error
        raise
    try:
        _migrate(connection)
    except sqlite3.Error as error:
        raise connections.fault(error) from error
    finally:
        connection.close()


def is_made(path: Path) -> bool:
    """False where no index is: no file, or one that holds nothing, as a crash of somebody else's making leaves it."""
    if not path.exists() or not path.stat().st_size:
        return False  # beside an empty file SQLite takes the log for another one's, and removes it
    try:
        with closing(connections.connect(path, durable=True)) as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0]) > 0
    except (errors.Unavailable, sqlite3.Error):
        return True  # what is wrong with it is told when it is opened


def _migrate(connection: sqlite3.Connection) -> None:
    steps = migrations()
    newest = max(steps)
    if _version(connection) == newest:
        return
    connection.execute("BEGIN IMMEDIATE")  # now the others wait, and look again when it is their turn
    for number in range(_version(connection) + 1, newest + 1):
        for statement in _statements(steps[number]):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
    registered.add_built_in(connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    is_new = version == 0 and not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if not is_new and application != APPLICATION:
        raise errors.Conflict("the index file is a database of another program")
    newest = max(migrations())
    if version > newest:
        raise errors.Conflict(f"the index has version {version}, this dicomgate knows none after {newest}: upgrade it")
    return version


def _statements(text: str) -> list[str]:
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [statement for part in bare.split(";\n") if (statement := part.strip())]


def _require_sqlite() -> None:
    if sqlite3.sqlite_version_info < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise errors.Unavailable(f"SQLite {oldest} or newer is needed, Python was built with {sqlite3.sqlite_version}")
