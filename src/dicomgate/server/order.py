"""Instances of one request are judged side by side, with the outcome of one after the other (PS3.18 §10.5, T10).

Where two of them contradict each other (two contents of one instance, a series in two studies, a study of two
patients) the earlier part wins, as if each had been sent alone.
"""

from __future__ import annotations

import threading
from typing import Final

from dicomgate.dicom.header import Header

_PATIENT: Final = ("00100020", "00100010")
"""Patient ID and name. Who judges may find two spellings alike; here they only wait for each other."""


class Order:
    """Knows what the parts of one request say of themselves, and holds back those that contradict an earlier one.

    Blocks in threads. That cannot lock up as long as threads begin the parts of a request in their order: every wait
    is for something that another thread is doing already.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._declared: set[int] = set()  # out of order
        self._first_undeclared = 0
        self._under_way: set[int] = set()
        self._instances: set[str] = set()
        self._studies: dict[str, str | None] = {}  # of a series; None: several are named
        self._patients: dict[str, str | None] = {}  # of a study

    def enter(self, number: int, header: Header | None) -> None:
        """Say what a part holds, None where that cannot be read; wait until it may be judged."""
        with self._changed:
            self._changed.wait_for(lambda: self._first_undeclared >= number)
            self._under_way.add(number)
            contradicts = header is not None and self._contradicts(header)
            self._declare(number)
            if contradicts:
                self._changed.wait_for(lambda: min(self._under_way, default=number) >= number)

    def leave(self, number: int) -> None:
        """A part is settled, or will never be. May be called again."""
        with self._changed:
            self._under_way.discard(number)
            self._declare(number)

    def _declare(self, number: int) -> None:
        if number >= self._first_undeclared:
            self._declared.add(number)
        while self._first_undeclared in self._declared:
            self._declared.remove(self._first_undeclared)
            self._first_undeclared += 1
        self._changed.notify_all()

    def _contradicts(self, header: Header) -> bool:
        """True when an earlier part says something else of the instance, the series or the study."""
        target = header.target
        if target is None or target.series is None or target.instance is None:
            return False
        patient = str([header.attributes.get(tag, {}).get("Value") for tag in _PATIENT])
        is_known = target.instance in self._instances
        self._instances.add(target.instance)
        is_disputed = _differs(self._studies, target.series, target.study)
        return _differs(self._patients, target.study, patient) or is_disputed or is_known


def _differs(said: dict[str, str | None], of: str, saying: str) -> bool:
    """True when an earlier part says something else, or did before: which of them counts is not known until then."""
    if said.setdefault(of, saying) != saying:
        said[of] = None
    return said[of] is None
