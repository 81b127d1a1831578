"""Where a key lies: "<moment>-<run>" is the file <moment> in the directory <run>, and nothing else is a key (T9)."""

from __future__ import annotations

import re
from pathlib import Path

from dicomgate import errors

ASIDE = ".part"
"""Ends the name of a file that is not whole yet."""

_KEY = re.compile(r"([0-9a-f]{16})-([0-9a-f]{18})")
_RUN = re.compile(r"[0-9a-f]{18}")
_MOMENT = re.compile(r"[0-9a-f]{16}")


def format_key(moment: int, run: str) -> str:
    """The key of the file made at a moment in a run; keys sort by moment."""
    return f"{moment:016x}-{run}"


def path(root: Path, key: str) -> Path:
    """Where the key's file lies. NotFound for what is no key."""
    moment, run = _parse(key)
    return root / run / moment


def moment(key: str) -> int:
    """When the key was made. NotFound for what is no key."""
    return int(_parse(key)[0], 16)


def _parse(key: str) -> tuple[str, str]:
    found = _KEY.fullmatch(key)
    if found is None:
        raise errors.NotFound("this is no key of a stored file")
    return found[1], found[2]


def is_run(name: str) -> bool:
    """True for the name of a directory of ours."""
    return _RUN.fullmatch(name) is not None


def is_ours(name: str) -> bool:
    """True for the name of a file of ours, whole or not."""
    return _MOMENT.fullmatch(name.removesuffix(ASIDE)) is not None


def names(directory: Path) -> list[str]:
    """What lies in a directory; nothing if it is not there."""
    try:
        return sorted(path.name for path in directory.iterdir())
    except FileNotFoundError:
        return []


def keys(root: Path, run: str) -> list[str]:
    """The keys in one directory."""
    return [f"{name}-{run}" for name in names(root / run) if _MOMENT.fullmatch(name)]
