"""Instances to a peer by C-STORE: as they are stored, else in a syntax that the peer takes (PS3.4 §B, §C.4.2)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from dicomgate import errors
from dicomgate.dicom import implicit, part10, syntaxes
from dicomgate.dicom.source import BytesSource, FileSource
from dicomgate.dimse import contexts
from dicomgate.dimse.command_sets import Command, Field, Kind
from dicomgate.dimse.connection import Broken, Connection, Message
from dicomgate.dimse.contexts import Agreed
from dicomgate.origin import Instance
from dicomgate.representations import transcoding
from dicomgate.representations.instance_source import InstanceSource
from dicomgate.representations.maker import Maker

_LONGEST_BEGINNING: Final = 1 << 20

Overhear = Callable[[Message], bool]
"""Hears what comes while a response is waited for; True when that was meant to come."""


def send(
    connection: Connection,
    agreed: Collection[Agreed],
    instance: Instance,
    request: Command,
    *,
    maker: Maker | None = None,
    scratch: Path | None = None,
    overhear: Overhear = lambda _: False,
) -> int:
    """Send one instance with a request as `request_for` makes it, and wait for the answer's status.

    NotAcceptable when the peer takes it in no syntax that it can be made in; other faults of the origin before
    anything was sent. Closed when the peer has gone, or when the bytes ended in the middle.
    """
    facts = instance.facts
    made = contexts.PLAIN_SYNTAXES if maker is not None else ()
    chosen = contexts.find_for(agreed, facts.sop_class, facts.transfer_syntax, made=made)
    if chosen is None:
        raise errors.NotAcceptable("the peer takes this class in no transfer syntax that it can be made in")
    content = _begun(dataset(instance, chosen.transfer_syntax, maker, scratch))
    try:
        connection.write_message(chosen.number, request, content)
    except errors.Fault as fault:
        if not connection.is_closed:
            connection.abort()  # the peer has half of a data set, and no way to take it back
            connection.is_closed = True
            raise Broken(f"an instance could not be sent to its end: {fault.message}") from fault
        raise
    return wait_for(connection, request, overhear).command.status


def wait_for(connection: Connection, request: Command, overhear: Overhear = lambda _: False) -> Message:
    """The response to a request of ours. Closed when another message comes that nobody waits for."""
    while True:
        came = connection.read_message()
        command = came.command
        if command.is_response and command.kind is request.kind and command.number == request.number:
            if command.has_dataset:
                connection.read_content(came, len)
            return came
        if not overhear(came):
            connection.is_closed = True
            raise Broken("expected the answer to a request, saw another message")


def request_for(
    instance: Instance, number: int, *, originator: str = "", originator_id: int = 0, priority: int = 0
) -> Command:
    """The C-STORE request of an instance; with who wanted it where that was a C-MOVE."""
    fields = {
        Field.MESSAGE_ID: number,
        Field.PRIORITY: priority,
        Field.AFFECTED_CLASS: instance.facts.sop_class,
        Field.AFFECTED_INSTANCE: instance.facts.target.instance or "",
    }
    if originator:
        fields |= {Field.ORIGINATOR: originator, Field.ORIGINATOR_ID: originator_id}
    return Command(Kind.STORE, fields, has_dataset=True)


def dataset(
    instance: Instance, transfer_syntax: str, maker: Maker | None = None, scratch: Path | None = None
) -> Iterator[bytes]:
    """The instance's data set, without file meta information; as it is stored if that is the syntax.

    NotAcceptable when it cannot be made; `scratch` is a folder for what has to lie somewhere meanwhile.
    """
    if instance.facts.transfer_syntax == transfer_syntax:
        offset = part10.read_beginning(InstanceSource(instance)).dataset_offset
        return instance.file(range(offset, instance.facts.size))
    if maker is None:
        raise errors.NotAcceptable("instances are sent as they are stored, and the peer does not take it so")
    explicit = transcoding.make_file(maker, instance, syntaxes.EXPLICIT_LITTLE).chunks
    if transfer_syntax == syntaxes.EXPLICIT_LITTLE:
        return _without_beginning(explicit)
    assert transfer_syntax == syntaxes.IMPLICIT_LITTLE, "no other syntax is offered to be made"
    return _implicit(explicit, scratch)


def _without_beginning(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = b""
    for chunk in chunks:
        first += chunk
        if len(first) >= part10.PREAMBLE + 1024:
            break
        if len(first) > _LONGEST_BEGINNING:
            raise errors.TooLarge("file meta information goes on and on")
    offset = part10.read_beginning(BytesSource(first)).dataset_offset
    return chain([first[offset:]], chunks)


def _implicit(explicit: Iterator[bytes], scratch: Path | None) -> Iterator[bytes]:
    with tempfile.TemporaryFile(dir=scratch) as file:
        try:
            for chunk in explicit:
                file.write(chunk)
            file.flush()
        except OSError as error:
            raise errors.Unavailable(f"an instance cannot be rewritten: {os.strerror(error.errno or 0)}") from error
        source = FileSource(file.fileno())
        offset = part10.read_beginning(source).dataset_offset
        yield from implicit.write_implicit(source, range(offset, source.size))


def _begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same, its first piece made: what cannot be made is known before anything is sent."""
    first = next(chunks, b"")
    return chain([first], chunks)
