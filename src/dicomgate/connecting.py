"""`dicomgate.connect`: an address, the name of a remote or a folder becomes an `Archive`, the same for all three."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from dicomgate import assembly, config, errors
from dicomgate.client import in_process
from dicomgate.client.archive import Archive
from dicomgate.client.caller import Caller, Patience
from dicomgate.client.identity import Identity
from dicomgate.client.in_process import InProcess


def connect(
    target: str | Path,
    *,
    token: str | None = None,
    settings: config.Settings | None = None,
    patience: Patience | None = None,
    timeout: float = 120.0,
) -> Archive:
    """Connect to a server by its address or by the name of a remote in the settings, or open a folder.

    A folder is a data folder of dicomgate, or any folder of files, which is looked through first and never written to;
    no server is needed. `token`: a bearer token, instead of who the settings say we are. `timeout`: seconds that a
    server may be silent. A server is not asked anything before the first question.

    Raises NotFound when it is none of these, Malformed (WrongSetting) for settings that cannot be, Unavailable when a
    data folder cannot be used now.
    """
    settings = settings or config.read()
    remote = _find_remote(target, settings)
    if remote is None:
        if not Path(target).is_dir():
            raise errors.NotFound("no address, no remote in the settings and no folder has this name")
        return _open(Path(target), settings, patience)
    identity = Identity(authorities=remote.authorities) if token is not None else Identity.of(remote)
    return Archive(Caller(remote.url, token=token, identity=identity, patience=patience, timeout=timeout))


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


def _open(folder: Path, settings: config.Settings, patience: Patience | None) -> Archive:
    """A folder, read by the application that would serve it."""
    is_archive = assembly.is_archive(folder)
    if not is_archive:
        with assembly.open_folder(folder, settings) as opened:
            opened.scan(lambda _: None)
    with ExitStack() as stack:
        application = assembly.application(
            settings, data=folder if is_archive else None, folder=None if is_archive else folder
        )
        stack.callback(application.close)
        transport = InProcess(application)
        stack.callback(transport.close)
        caller = Caller(f"{in_process.ADDRESS}/dicomweb", transport=transport, patience=patience)
        return Archive(caller, stack.pop_all().close)
