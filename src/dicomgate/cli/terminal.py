"""What the terminal in front of a person can do: its size in cells and pixels, and which pictures it shows."""

from __future__ import annotations

import enum
import os
import re
import select
import shutil
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

_PATIENCE: Final = 2.0
"""Seconds for an answer to come, over a slow line too; a terminal that knows no question never answers."""
_ASKED: Final = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"
"""Do you know kitty's graphics? And what are you? Every terminal answers the second one."""
_ATTRIBUTES: Final = re.compile(rb"\x1b\[\?([\d;]*)c")
_SIXEL: Final = b"4"
_CELL: Final = (8, 16)
"""Pixels of a cell where the terminal does not tell."""
_OF_ITERM: Final = frozenset({"iTerm.app", "WezTerm", "mintty"})
_ALL_COLOURS: Final = frozenset({"truecolor", "24bit"})


class Graphics(enum.StrEnum):
    """A way to show a picture."""

    KITTY = "kitty"
    ITERM = "iterm"
    SIXEL = "sixel"
    HALF = "half"


@dataclass(frozen=True, slots=True)
class Size:
    """A terminal's size in cells, and a cell's in pixels."""

    columns: int
    lines: int
    cell: tuple[int, int]


def measure() -> Size:
    """The size of the terminal of standard output; COLUMNS and LINES are heard."""
    columns, lines = shutil.get_terminal_size()
    return Size(columns, lines, _cell())


def _cell() -> tuple[int, int]:
    if sys.platform == "win32":
        return _CELL
    import fcntl
    import termios

    try:
        answer = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
    except (OSError, ValueError):
        return _CELL
    lines, columns, width, height = struct.unpack("HHHH", answer)
    if not (lines and columns and width and height):
        return _CELL
    return max(1, width // columns), max(1, height // lines)


def has_all_colours(environment: Mapping[str, str] | None = None) -> bool:
    """True where 24-bit colour is shown."""
    environment = os.environ if environment is None else environment
    return environment.get("COLORTERM", "").lower() in _ALL_COLOURS or "direct" in environment.get("TERM", "")


def detect(environment: Mapping[str, str] | None = None) -> Graphics:
    """The best that the terminal says it can show; half blocks where it says nothing."""
    environment = os.environ if environment is None else environment
    answer = _ask(_ASKED) if environment.get("TERM", "dumb") not in {"dumb", "linux"} else b""
    return choose(answer, environment)


def choose(answer: bytes, environment: Mapping[str, str]) -> Graphics:
    """What follows from the terminal's answer, and from what it put into the environment."""
    if b"\x1b_Gi=31;OK" in answer:
        return Graphics.KITTY
    named = {environment.get("TERM_PROGRAM", ""), environment.get("LC_TERMINAL", "").replace("iTerm2", "iTerm.app")}
    if named & _OF_ITERM and not environment.get("TMUX"):
        return Graphics.ITERM
    told = _ATTRIBUTES.search(answer)
    return Graphics.SIXEL if told and _SIXEL in told[1].split(b";") else Graphics.HALF


def _ask(question: str) -> bytes:
    """The answer to control sequences; empty when there is nobody to answer."""
    if sys.platform == "win32":
        return b""
    import termios

    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        with _without_echo(descriptor):
            os.write(descriptor, question.encode("ascii"))
            return _hear(descriptor)
    except (OSError, termios.error):
        return b""
    finally:
        os.close(descriptor)


def _hear(descriptor: int) -> bytes:
    """All that comes until the answer that every terminal gives."""
    answer = b""
    until = time.monotonic() + _PATIENCE
    while not _ATTRIBUTES.search(answer) and len(answer) < 4096:
        left = until - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            break
        answer += os.read(descriptor, 256)
    return answer


@contextmanager
def _without_echo(descriptor: int) -> Iterator[None]:
    """What is typed, or answered, is not shown and comes at once, while inside."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSANOW)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
