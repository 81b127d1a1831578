"""Sections of remotes in a settings file, put in and taken out; what else stands there stays as somebody wrote it."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dicomgate import config, errors

_HEAD: Final = re.compile(r"^\s*\[")
_SAYS_NOTHING: Final = re.compile(r"^\s*(?:#.*)?$")


def add_remote(path: Path, name: str, keys: Mapping[str, str]) -> None:
    """Write a section at the end of the file, which is made if it is missing.

    config.WrongSetting when it has this remote already, and when it would no longer be a file of settings.
    """
    text, tree = _read(path)
    if name in tree.get("remotes", {}):
        raise config.WrongSetting(f"{path} has a remote {name} already; remove it first")
    said = [f"{key} = {config.format_value(value)}" for key, value in keys.items()]
    section = "\n".join([f"[remotes.{name}]", *said]) + "\n"
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    _write(path, text + gap + section)


def remove_remote(path: Path, name: str) -> None:
    """Take its section out.

    NotFound when the file has none of this name; config.WrongSetting when it is written in another way.
    """
    text, tree = _read(path)
    remotes = tree.get("remotes", {})
    if name not in remotes:
        raise errors.NotFound(f"{path} has no remote {name}")
    fresh = _without(text, name)
    expected = {**tree, "remotes": {other: keys for other, keys in remotes.items() if other != name}}
    if _filled(_parse(path, fresh)) != _filled(expected):
        raise config.WrongSetting(f"{path} does not have the remote as a section [remotes.{name}]; remove it by hand")
    _write(path, fresh)


def _filled(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Without an empty table of remotes, which says as much as none."""
    return {name: keys for name, keys in tree.items() if name != "remotes" or keys}


def _without(text: str, name: str) -> str:
    """All but the section's lines, from its head to its last setting: what stands below belongs to the next one."""
    head = re.compile(rf"""^\s*\[\s*remotes\s*\.\s*(?:{name}|"{name}"|'{name}')\s*\]\s*(?:#.*)?$""")
    lines = text.splitlines(keepends=True)
    first = next((number for number, line in enumerate(lines) if head.match(line.rstrip("\r\n"))), len(lines))
    later = (number for number, line in enumerate(lines) if number > first and _HEAD.match(line))
    after = next(later, len(lines))
    while after > first + 1 and _SAYS_NOTHING.match(lines[after - 1]):
        after -= 1
    rest = "".join(lines[after:])
    return (
        "".join(lines[:first]) + rest.lstrip("\r\n") if rest.strip() else "".join(lines[:first]).rstrip("\r\n") + "\n"
    )


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return "", {}
    except UnicodeDecodeError as fault:
        raise config.WrongSetting(f"{path}: not TOML: it is not UTF-8") from fault
    return text, _parse(path, text)


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise config.WrongSetting(f"{path}: not TOML: {fault}") from fault


def _write(path: Path, text: str) -> None:
    """Whole or not at all, with the rights that the file had; it must be read again as settings."""
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _check(Path(aside), path)
        Path(aside).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def _check(aside: Path, path: Path) -> None:
    """WrongSetting, about the file that is meant, when what was written are no settings."""
    try:
        config.read(file=aside, environment={}, system_file=Path(os.devnull, "none"))
    except config.WrongSetting as fault:
        raise config.WrongSetting(fault.message.replace(str(aside), str(path))) from fault
