"""Whom a relay sends to: the destinations of the settings, and those that are named where it is started."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from dicomgate import config, errors, extras
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.identity import Identity
from dicomgate.client.request import Patience
from dicomgate.relay import rules
from dicomgate.relay.destination import Destination
from dicomgate.relay.pauses import Pauses

_COMPRESSED: Final = {
    "jpeg-ls": "1.2.840.10008.1.2.4.80",
    "jpeg-2000": "1.2.840.10008.1.2.4.90",
    "htj2k": "1.2.840.10008.1.2.4.201",
    "rle": "1.2.840.10008.1.2.5",
}
_SECONDS: Final = 120.0
"""For which a destination may be silent."""


def name_destinations(settings: config.Settings, wanted: Sequence[str]) -> dict[str, config.Destination]:
    """Destinations by name: those of the settings, or those that are wanted: their names, remotes or addresses.

    WrongSetting for a word that is none of these.
    """
    if not wanted:
        return dict(settings.destinations)
    return dict(_name(settings, word) for word in wanted)


def _name(settings: config.Settings, word: str) -> tuple[str, config.Destination]:
    if word in settings.destinations:
        return word, settings.destinations[word]
    if word in settings.remotes:
        return word, config.Destination(to=word)
    if word.startswith(("http://", "https://")) and urlsplit(word).hostname:
        return _without_user(word.rstrip("/")), config.Destination(to=word)
    known = ", ".join([*settings.destinations, *settings.remotes]) or "none is named in the settings"
    raise config.WrongSetting(f"--forward: expected an address, a destination or a remote ({known})")


def _without_user(address: str) -> str:
    """The address as it may be shown and kept."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def make(settings: config.Settings, name: str, section: config.Destination) -> Destination:
    """A destination of the settings. WrongSetting where they cannot be meant, NotInstalled without what it takes."""
    where = f"destinations.{name}"
    try:
        rule = rules.parse_rule(section.callers, section.match)
    except (errors.Malformed, errors.TooLarge) as fault:
        raise config.WrongSetting(f"{where}.match: {fault.message}") from fault
    remote = settings.remotes.get(section.to)
    if remote is None and not section.to.startswith(("http://", "https://")):
        raise config.WrongSetting(f"{where}.to: no remote of this name")
    remote = remote or _remote_at(settings, section.to)
    compressed = _COMPRESSED.get(section.compress, "")
    if compressed:
        extras.require("pixels")
    return Destination(
        name=name,
        connect=functools.partial(_connect, remote, section.requests),
        rule=rule,
        requests=section.requests,
        bytes_per_second=section.bytes_per_second,
        transfer_syntax=compressed,
        doubts=section.doubts,
        pauses=Pauses(first=section.pause_seconds, longest=section.longest_pause_seconds),
    )


def _remote_at(settings: config.Settings, address: str) -> config.Remote:
    """Who we are at an address is said by the remote that has it."""
    known = (one for one in settings.remotes.values() if one.url.rstrip("/") == address.rstrip("/"))
    return next(known, config.Remote(url=address))


def _connect(remote: config.Remote, requests: int) -> AsyncCaller:
    return AsyncCaller(
        remote.url,
        identity=Identity.of(remote),
        patience=Patience(tries=1),  # the queue is patient
        timeout=_SECONDS,
        side_by_side=requests + 1,
    )
