"""A study, series or instance as one ZIP file on disk (PS3.18 §10.4.1.1.1, Table 8.7.3-1)."""

from __future__ import annotations

import secrets
import zipfile
from contextlib import aclosing
from pathlib import Path

from dicomgate import errors
from dicomgate.client import fetch as fetching
from dicomgate.client import threads
from dicomgate.client.async_caller import AsyncCaller
from dicomgate.client.request import Request, media_type_of
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import media_types, resources


async def fetch(calls: AsyncCaller, target: Target, path: Path, transfer_syntax: str) -> Path:
    """The file under its name, when it is whole. NotAcceptable of a server that makes none, UpstreamFailed."""
    accept = f"{media_types.ZIP}; transfer-syntax={transfer_syntax}"
    request = Request(path=resources.link("", target), headers={"Accept": accept}, is_about_a_thing=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        async with calls.stream(request) as answer:
            fetching.check(answer)
            if media_type_of(answer.content_type) != media_types.ZIP:
                raise errors.NotAcceptable("the server answers with something other than a ZIP file")
            with partial.open("wb") as file:
                async with aclosing(fetching.in_steps(file.writelines, answer.chunks)) as steps:
                    async for _ in steps:
                        pass
        await threads.in_thread(_check, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _check(path: Path) -> None:
    try:
        with zipfile.ZipFile(path):
            pass
    except zipfile.BadZipFile as fault:
        raise errors.UpstreamFailed("the ZIP file that came is not whole") from fault
