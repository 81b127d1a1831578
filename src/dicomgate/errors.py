"""What can go wrong, in the domain's words: no HTTP status, no DIMSE number, no patient data in any message.

Fault                      somebody outside (a caller, a peer, the disk) is the cause; never a bug of ours
├── Malformed              what was sent breaks the grammar it claims
├── NotFound               no such thing here
│   └── Gone               it was here and was deleted
├── Conflict               well-formed, but contradicts what is already here
├── NotAcceptable          no representation that the caller would accept can be made
├── UnsupportedMedia       a kind of content that is not taken here
│   └── UnsupportedCoding  it is compressed in a way that is not taken here
├── NotAllowed             this deed does not exist on this resource (or is switched off)
├── TooLarge               a bound on size, depth, count or time was passed
├── Forbidden              the caller may not
├── Unavailable            not now; later may work
│   ├── OutOfSpace         no room to keep it
│   ├── Changed            it was replaced while it was asked for; asked again, it is there
│   └── Damaged            what is kept is broken
└── UpstreamFailed         somebody we asked on the caller's behalf failed
    └── UpstreamSilent     and did so by not answering in time

Each door has one table from these to its own numbers (server/errors.py, cli/main.py).
"""

from __future__ import annotations


class Fault(Exception):  # noqa: N818 - not all of them are errors
    """Something outside dicomgate is wrong; the message says what was seen and what was expected."""

    def __init__(self, message: str, *, see: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.see = see  # what would have worked: media types, methods, transfer syntaxes


class Malformed(Fault):
    """What was sent breaks the grammar it claims."""


class NotFound(Fault):
    """No such thing here."""


class Gone(NotFound):
    """It was here and was deleted."""


class Conflict(Fault):
    """Well-formed, but contradicts what is already here."""


class NotAcceptable(Fault):
    """No representation that the caller would accept can be made."""


class UnsupportedMedia(Fault):
    """A kind of content that is not taken here."""


class UnsupportedCoding(UnsupportedMedia):
    """It is compressed in a way that is not taken here; `see` names those that are."""


class NotAllowed(Fault):
    """This deed does not exist on this resource, or is switched off."""


class TooLarge(Fault):
    """A bound on size, depth, count or time was passed."""


class Forbidden(Fault):
    """The caller may not."""


class Unavailable(Fault):
    """Not now; later may work."""


class OutOfSpace(Unavailable):
    """No room to keep it."""


class Changed(Unavailable):
    """It was replaced while it was asked for: a door asks again before it tells its caller to."""


class Damaged(Unavailable):
    """What is kept is broken; it has to be mended or made again."""


class UpstreamFailed(Fault):
    """Somebody we asked on the caller's behalf failed."""


class UpstreamSilent(UpstreamFailed):
    """Somebody we asked on the caller's behalf did not answer in time."""
