from __future__ import annotations

import sys

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/interop/" in item.path.as_posix():
            item.add_marker("interop")
            # pydicom warns about what real files hold, as does the client built on it; both are only other readers here.
            item.add_marker(pytest.mark.filterwarnings("ignore::UserWarning"))
            if sys.platform == "win32":
                item.add_marker(pytest.mark.skip(reason="starts server processes the POSIX way"))
