from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _quiet_pydicom() -> Iterator[None]:
    """pydicom warns about what real files hold; here it is only the other reader."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom")
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/interop/" in item.path.as_posix():
            item.add_marker("interop")
            if sys.platform == "win32":
                item.add_marker(pytest.mark.skip(reason="starts server processes the POSIX way"))
