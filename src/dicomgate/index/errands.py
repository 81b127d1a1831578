"""What a relay holds for its destinations: the rows, as the rest of the house sees them (decision 17)."""

from __future__ import annotations

from dataclasses import dataclass

from dicomgate.dicom.uids import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An instance whose bytes lie under a key. `number`: in the order of arrival; 0 before it is in the queue.

    `caller`: the AE title that sent it, empty where it came another way.
    """

    number: int = 0
    key: str
    target: Target
    sop_class: str
    transfer_syntax: str
    size: int
    digest: str
    checksum: str
    caller: str
    received: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One instance for one destination. `due`: not to be tried before.

    `doubts`: how often it failed in a way that may be the instance's own fault; `doubted`: when first.
    """

    destination: str
    held: Held
    is_shelved: bool
    due: float
    tries: int
    doubts: int
    doubted: float
    code: int | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a try that delivered nothing left behind, to be written down. `began`: when the try did."""

    number: int
    due: float
    began: float
    why: str
    code: int | None = None
    is_doubt: bool = False
    shelve: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a destination is. `failing_since` None: the last try went well."""

    destination: str
    waiting: int = 0
    waiting_bytes: int = 0
    oldest: float | None = None
    shelved: int = 0
    delivered: int = 0
    delivered_bytes: int = 0
    last_delivered: float = 0.0
    failing_since: float | None = None
    next_try: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discarded:
    """An instance that somebody gave up for a destination; `why` it had not gone, and the `reason` that was given."""

    number: int
    destination: str
    target: Target
    size: int
    digest: str
    why: str
    reason: str
    moment: float
