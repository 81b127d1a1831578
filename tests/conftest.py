from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import pynetdicom_mended

# A busy machine is no fault, so no example has a deadline and none is too slow to make. The same examples each time:
# what chance finds is found where somebody looks for it (DICOMGATE_EXAMPLES=random), not in a run that decides.
# The fast loop tries fewer (DICOMGATE_EXAMPLES=few), where a test does not say how many it needs.
EXAMPLES = os.environ.get("DICOMGATE_EXAMPLES", "")
settings.register_profile(
    "dicomgate",
    max_examples=25 if EXAMPLES == "few" else 100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=EXAMPLES != "random",
    database=None,
    print_blob=True,
)
settings.load_profile("dicomgate")

# Who is started in the background may be deaf to Ctrl-C, and so would be what is started here, to be stopped by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Only where tests have brought it in: it takes long to import."""
    if "pynetdicom.association" in sys.modules:
        pynetdicom_mended.mend(sys.modules["pynetdicom.association"].Association)


def group_of(nodeid: str) -> str:
    """Tests that share a server, or a record of one, go to one process; each of the others to any."""
    path = nodeid.partition("::")[0]
    if path.startswith("tests/hostile/"):
        return "hostile, large" if path.endswith("/test_large.py") else "hostile"
    is_shared = path.startswith("tests/interop/") or path == "tests/crash/test_power_cut.py"
    return path if is_shared else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Marks of groups are lost between these versions of pytest (9.2) and xdist (3.8): the name says what belongs together."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Groups(config, log)
