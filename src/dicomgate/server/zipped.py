"""A study, series or instance as a ZIP archive, with a DICOMDIR on request (PS3.18 §10.4; the media type is ours).

The folder has the name of the study's UID; series and instances are numbered in the order in which all services list
them. With a DICOMDIR names are File IDs (PS3.10 §8.5). Where every file goes as it is stored, the length is known, any
range can be had, and the same request gives the same bytes.
"""

from __future__ import annotations

import contextlib
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from dicomgate import errors
from dicomgate.dicom import syntaxes
from dicomgate.dicom.uids import Target
from dicomgate.dicomweb import media_types, resources
from dicomgate.dicomweb.negotiation import Offer
from dicomgate.origin import Instance
from dicomgate.representations import directories, zips
from dicomgate.representations.directories import Directory
from dicomgate.representations.zips import MadeMember, Member, StoredArchive
from dicomgate.server import caching, files, parts
from dicomgate.server.answers import Answer
from dicomgate.server.exchange import field
from dicomgate.server.parts import Part
from dicomgate.server.requests import Request

AnyMember = Member | MadeMember

_GROWTH: Final = 3
"""A data set that is written with VRs, or in the other byte order, is at most so many times as long."""
_BEGINNING: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class File:
    """One instance, and how it is sent: `variant` tells that apart, `make` is for what is not stored so.

    `may_stay`: nobody asked for this transfer syntax by name, so what cannot be made goes as it is stored.
    """

    instance: Instance
    offer: Offer
    variant: str
    make: Callable[[], Part]
    may_stay: bool


def answer(request: Request, target: Target, files: Sequence[File], rest: Iterator[File] | None) -> Answer:
    """The archive of these instances; `rest`: of more, which are not looked at before they leave."""
    with contextlib.ExitStack() as held:
        directory = held.enter_context(contextlib.closing(Directory())) if files[0].offer.has_directory else None
        found = _answer(request, target, files, rest, directory)
        found.resources.push(held.pop_all())
    if found.status in {200, 206}:
        uid = target.instance or target.series or target.study
        found.headers.append(field("content-disposition", f'attachment; filename="{uid}.zip"'))
    return found


def _answer(
    request: Request, target: Target, files: Sequence[File], rest: Iterator[File] | None, directory: Directory | None
) -> Answer:
    if rest is not None:
        members = _members(itertools.chain(files, rest), directory)
        chunks = zips.stream(members, request.door.maker.checksums)
        headers = [field("content-type", media_types.ZIP), caching.CHANGING, caching.VARY, caching.NO_RANGES]
        return Answer(headers=[*headers, field("content-location", _location(request, target))], chunks=chunks)
    return _tagged(request, target, files, directory)


def _tagged(request: Request, target: Target, files: Sequence[File], directory: Directory | None) -> Answer:
    tag = _tag(request, files, has_directory=directory is not None)
    is_exact = not tag.startswith("W/")
    size: int | None = None
    chunks: Iterator[bytes] = iter(())
    read = None
    if caching.is_known(request, tag):
        pass  # nothing is read or made for who has it
    elif all(each.offer.is_stored for each in files):
        members = [each for each in _members(files, directory) if isinstance(each, Member)]
        archive = StoredArchive(members, request.door.maker.checksums)
        size, chunks, read = archive.size, archive.read(), archive.read if is_exact else None
    else:
        chunks = zips.stream(_members(files, directory), request.door.maker.checksums)
    location = _location(request, target)
    part = Part(content_type=media_types.ZIP, location=location, size=size, chunks=chunks, read=read)
    return parts.answer_single(request, part, tag, lifetime=caching.CHANGING, is_stored=False, is_seekable=True)


def _tag(request: Request, files: Sequence[File], *, has_directory: bool) -> str:
    """Weak where nothing says surely that the files are the same."""
    listed = "\n".join(
        f"{facts.target.instance} {facts.version} {facts.modified} {each.variant}"
        for each in files
        for facts in (each.instance.facts,)
    )
    is_exact = all(each.instance.facts.digest for each in files)
    made_by = f"{request.door.maker.edition} zlib {zlib.ZLIB_RUNTIME_VERSION}"
    return caching.format_tag(listed, f"zip {has_directory} {made_by}", is_exact=is_exact)


def _location(request: Request, target: Target) -> str:
    return resources.link(request.root, target)


def _members(files: Iterable[File], directory: Directory | None) -> Iterator[AnyMember]:
    """The files in order; the directory last, for it is written meanwhile."""
    modified = 0.0
    for names, file in _named(files, is_file_set=directory is not None):
        facts = file.instance.facts
        modified = max(modified, facts.modified)
        made = _make(file)
        if directory is not None:
            syntax = facts.transfer_syntax if made is None else file.offer.transfer_syntax or syntaxes.EXPLICIT_LITTLE
            directory.add(names, facts, syntax, orjson.loads(file.instance.metadata()))
        yield _member("/".join(names), file.instance, made)
    if directory is not None:
        size = directory.finish()
        yield Member(name=directories.NAME, modified=modified, size=size, read=directory.read)


def _named(files: Iterable[File], *, is_file_set: bool) -> Iterator[tuple[tuple[str, ...], File]]:
    """Folders and file name of each; as File IDs no longer than 8 characters each (PS3.10 §8.2)."""
    last, series, number = None, 0, 0
    for file in files:
        target = file.instance.facts.target
        if target.series != last:
            last, series, number = target.series, series + 1, 0
        number += 1
        if is_file_set:
            yield ("DICOM", f"S{series:04d}", f"I{number:05d}"), file
        else:
            yield (target.study, f"{series:04d}", f"{number:05d}.dcm"), file


def _make(file: File) -> Part | None:
    """The file in another transfer syntax, None for the stored one. NotAcceptable when it cannot be made and must."""
    if file.offer.is_stored:
        return None
    try:
        return file.make()
    except errors.NotAcceptable:
        if file.may_stay:
            return None
        raise


def _member(name: str, instance: Instance, made: Part | None) -> AnyMember:
    facts = instance.facts
    if made is None:
        return Member(name=name, modified=facts.modified, size=facts.size, read=instance.file, identity=facts.digest)
    most = made.size if made.size is not None else _most(instance)
    return MadeMember(name=name, modified=facts.modified, most=most, chunks=files.read_all(made.chunks))


def _most(instance: Instance) -> int | None:
    """A bound on the size of the file rewritten, None where there is none to tell."""
    syntax = syntaxes.find(instance.facts.transfer_syntax)
    if syntax is None or syntax.is_encapsulated or syntax.is_deflated:
        return None
    return _GROWTH * instance.facts.size + _BEGINNING
