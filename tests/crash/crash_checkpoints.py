"""`dicomgate` whose index moves its log into its file all the time, so that crashes meet it doing so; a program."""

from __future__ import annotations

import functools
import sqlite3
from pathlib import Path

from dicomgate.index import connections

PAGES = 20
"""The product moves 4000 pages at a time: no short test gets there."""


def connect(usual: functools.partial[sqlite3.Connection], path: Path, *, durable: bool) -> sqlite3.Connection:
    connection = usual(path, durable=durable)
    connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES}")
    return connection


connections.connect = functools.partial(connect, functools.partial(connections.connect))  # worker processes do it too

if __name__ == "__main__":
    from dicomgate.cli import main

    main.main()
