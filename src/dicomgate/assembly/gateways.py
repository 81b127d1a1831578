"""The PACS that the settings name, and the archive that keeps what is fetched from it."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from dicomgate import config, errors
from dicomgate.archive import layout, policy
from dicomgate.assembly import archives, places
from dicomgate.blobs.disk import FastDisk
from dicomgate.blobs.local import LocalBlobs
from dicomgate.dimse.associations import Peer
from dicomgate.dimse.pacs import Pacs, Plan, senders
from dicomgate.dimse.pacs_check import NOT_SET_UP, Check
from dicomgate.dimse.receiver import Receiver, Reception
from dicomgate.index.sqlite import SqliteIndex
from dicomgate.server import threads


def gateway_folder(settings: config.Settings) -> Path:
    """Where a gateway keeps what it fetched."""
    section = settings.pacs
    if section.cache:
        return Path(section.cache)
    name = f"{section.title}@{section.host}:{section.port}"
    return places.cache_home() / "gateways" / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}-{layout.VERSION}"


def pacs_plan(settings: config.Settings) -> Plan:
    """How the settings want the PACS to be spoken with. WrongSetting where they do not say which."""
    section = settings.pacs
    if not (section.title and section.host):
        raise config.WrongSetting(
            'pacs.title and pacs.host: no PACS is named; "dicomgate gateway init --pacs TITLE@HOST:PORT" writes them'
        )
    client, server = _pacs_tls(section)
    return Plan(
        peer=Peer(
            title=section.title,
            host=section.host,
            port=section.port,
            own_title=section.own_title,
            connect_seconds=section.connect_seconds,
            answer_seconds=section.answer_seconds,
            tls=client,
        ),
        receiver=Reception(
            title=section.own_title,
            host=section.move_host,
            port=section.move_port,
            is_allowed=senders(section.host, section.title, section.senders),
            stall_seconds=section.answer_seconds,
            tls=server,
        )
        if section.move_port and section.retrieve != "get"
        else None,
        way=section.retrieve,
        associations=section.associations,
        wait_seconds=section.wait_seconds,
        keep_seconds=section.keep_seconds,
        character_set=section.character_set,
        answers=section.answers,
        fan_out=section.fan_out,
        cache_bytes=section.cache_bytes,
        check_seconds=section.check_seconds,
        metadata_seconds=section.metadata_seconds,
        largest=settings.store.instance_bytes,
        limits=archives.limits(settings),
    )


def _pacs_tls(section: config.Pacs) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """Contexts of associations that we ask for, and of those that we accept (PS3.15 §B.12)."""
    if bool(section.tls_certificate) != bool(section.tls_key):
        raise config.WrongSetting("pacs.tls_certificate and pacs.tls_key: one of them is missing")
    if not section.tls:
        return None, None
    authorities = section.tls_authorities or None
    try:
        client = ssl.create_default_context(cafile=authorities)
        if not section.tls_certificate:
            return client, None
        client.load_cert_chain(section.tls_certificate, section.tls_key)
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authorities)
        server.load_cert_chain(section.tls_certificate, section.tls_key)
        server.verify_mode = ssl.CERT_REQUIRED
    except OSError as fault:
        raise config.WrongSetting(f"pacs.tls_...: a certificate or key cannot be read: {fault.strerror}") from fault
    return client, server


@contextmanager
def pacs_check(settings: config.Settings) -> Iterator[Check]:
    """What tries the PACS of the settings. Where the port for C-MOVE is in use, by a gateway maybe, without that."""
    plan = pacs_plan(settings)
    receiver, why_none = None, NOT_SET_UP
    try:
        receiver = None if plan.receiver is None else Receiver(plan.receiver)
    except errors.Unavailable as fault:
        why_none = f"not tried: {fault.message}, by a gateway that runs?"
    try:
        own_host = settings.pacs.own_host or socket.gethostname()
        yield Check(peer=plan.peer, receiver=receiver, own_host=own_host, way=plan.way, why_none=why_none)
    finally:
        if receiver is not None:
            receiver.close()


@contextmanager
def open_pacs(settings: config.Settings, tell: Callable[..., None]) -> Iterator[Pacs]:
    """The PACS of the settings, with the archive that keeps what is fetched; one process has that alone.

    What is kept there the PACS has as well: nothing waits for the disk, and a power cut costs the last of it.
    """
    plan, home = pacs_plan(settings), gateway_folder(settings)
    home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        held.enter_context(places.locked(home, exclusive=True))
        blobs = held.enter_context(closing(LocalBlobs(home / places.BLOBS, disk=FastDisk())))
        index = held.enter_context(
            closing(SqliteIndex(home / places.INDEX, durable=False, **archives.bounds(settings)))
        )
        kept = replace(settings.store, coerce=(), other_patient="refuse", quota_bytes=0, allow_delete=True)
        cache = replace(
            archives.make_archive(home, replace(settings, store=kept), blobs, index), judge=policy.judge_mirror
        )
        cache.sweep()
        pacs = Pacs(plan, cache=cache.origin, spool=cache.spool, shelf=home / "series", tell=tell, aside=threads.aside)
        held.callback(pacs.close)
        yield pacs
