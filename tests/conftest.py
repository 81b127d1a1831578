from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A busy machine is no fault, so no example has a deadline and none is too slow to make. The same examples each time:
# what chance finds is found where somebody looks for it (DICOMGATE_EXAMPLES=random), not in a run that decides.
settings.register_profile(
    "dicomgate",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=os.environ.get("DICOMGATE_EXAMPLES") != "random",
    database=None,
    print_blob=True,
)
settings.load_profile("dicomgate")
