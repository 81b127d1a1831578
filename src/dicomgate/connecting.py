"""`dicomgate.connect`: an address, the name of a remote or a folder becomes an `Archive`, the same for all three."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from dicomgate import assembly, config, errors
from dicomgate.client import in_process
from dicomgate.client.archive import Archive
from dicomgate.client.async_archive import AsyncArchive
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.cache import Cache
from dicomgate.client.identity import Identity
from dicomgate.client.in_process import InProcess
from dicomgate.client.request import Patience

Token = str | Callable[[], Any]
"""A bearer token; or what gives one, plainly or as a coroutine, called again when the old one is taken no more."""


def connect(
    target: str | Path,
    *,
    token: Token | None = None,
    auth: httpx2.Auth | None = None,
    identity: Identity | None = None,
    cache: bool | Path | Cache = False,
    settings: config.Settings | None = None,
    patience: Patience | None = None,
    timeout: float = 120.0,
    side_by_side: int = 16,
) -> Archive:
    """Connect to a server by its address or by the name of a remote in the settings, or open a folder.

    A folder is a data folder of dicomgate, or any folder of files, which is looked through first and never written to;
    no server is needed. `token`, `auth` (`client.tokens`: client credentials, device code) or `identity` (certificate,
    netrc, ...): who we are, instead of who the settings say. `cache`: keep answers on disk (in the user's cache, or in
    this folder), each use confirmed by the server. `timeout`: seconds that a server may be silent. `side_by_side`:
    requests under way at once. A server is not asked anything before the first question.

    Raises NotFound when it is none of these, Malformed (WrongSetting) for settings that cannot be, Unavailable when a
    data folder cannot be used now.
    """
    return Archive(
        _open(
            target,
            settings or config.read(),
            token=token,
            auth=auth,
            identity=identity,
            cache=_cache(cache),
            patience=patience,
            timeout=timeout,
            side_by_side=side_by_side,
        )
    )


async def connect_async(
    target: str | Path,
    *,
    token: Token | None = None,
    auth: httpx2.Auth | None = None,
    identity: Identity | None = None,
    cache: bool | Path | Cache = False,
    settings: config.Settings | None = None,
    patience: Patience | None = None,
    timeout: float = 120.0,
    side_by_side: int = 16,
) -> AsyncArchive:
    """The same for this event loop. See `connect`."""
    return await asyncio.to_thread(
        _open,
        target,
        settings or config.read(),
        token=token,
        auth=auth,
        identity=identity,
        cache=_cache(cache),
        patience=patience,
        timeout=timeout,
        side_by_side=side_by_side,
    )


def _open(
    target: str | Path, settings: config.Settings, *, token: Token | None, identity: Identity | None, **how: Any
) -> AsyncArchive:
    remote = _find_remote(target, settings)
    if remote is None:
        if not Path(target).is_dir():
            raise errors.NotFound("no address, no remote in the settings and no folder has this name")
        return _open_folder(Path(target), settings, how["patience"], how["timeout"])
    is_said = token is not None or how["auth"] is not None
    known = identity or (Identity(authorities=remote.authorities) if is_said else Identity.of(remote))
    return AsyncArchive(AsyncCaller(remote.url, token=token, identity=known, **how))


def _find_remote(target: str | Path, settings: config.Settings) -> config.Remote | None:
    """The server that is meant, with what the settings say of it; None for a folder."""
    if not isinstance(target, str):
        return None
    if target in settings.remotes:
        return settings.remotes[target]
    if not target.startswith(("http://", "https://")):
        return None
    address = target.rstrip("/")
    return next((one for one in settings.remotes.values() if one.url.rstrip("/") == address), config.Remote(url=target))


def _open_folder(folder: Path, settings: config.Settings, patience: Patience | None, timeout: float) -> AsyncArchive:
    """A folder, read by the application that would serve it."""
    is_archive = assembly.is_archive(folder)
    if not is_archive:
        with assembly.open_folder(folder, settings) as opened:
            opened.scan(lambda _: None)
    application = assembly.application(
        settings, data=folder if is_archive else None, folder=None if is_archive else folder
    )

    async def close() -> None:
        await asyncio.to_thread(application.close)

    transport = InProcess(application)
    calls = AsyncCaller(f"{in_process.ADDRESS}/dicomweb", transport=transport, patience=patience, timeout=timeout)
    return AsyncArchive(calls, close)


def _cache(wanted: bool | Path | Cache) -> Cache | None:
    if isinstance(wanted, Cache):
        return wanted
    if isinstance(wanted, Path):
        return Cache(wanted)
    return Cache() if wanted else None
