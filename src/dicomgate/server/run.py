"""Runs an application: binds the socket, serves on it with one process or several, stops without cutting off."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Callable
from typing import Final

from dicomgate import errors
from dicomgate.server.supervisor import Supervisor, WorkersFailed
from dicomgate.server.worker import BACKLOG, MakeApplication, Manner, Server

__all__ = ["CannotListen", "Manner", "WorkersFailed", "listen", "serve"]

_MOST_FILES: Final = 1 << 16


class CannotListen(errors.Unavailable):
    """The address cannot be listened on."""


def serve(
    make_application: MakeApplication,
    *,
    host: str = "127.0.0.1",
    port: int = 8104,
    workers: int = 1,
    manner: Manner | None = None,
    on_ready: Callable[[str, int], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is in flight and return.

    `make_application` is called once in every process that serves; with several workers it is sent to them, so it
    must be picklable. `on_ready` hears the real host and port when every worker accepts connections. A second SIGINT
    cuts short. Raises CannotListen, WrongCertificate, WorkersFailed.
    """
    manner = manner or Manner()
    if manner.certificate is not None:
        manner.certificate.context()  # what is wrong with it is said here, once and plainly
    _allow_many_files()
    listening = listen(host, port)
    address = listening.getsockname()

    def ready() -> None:
        if on_ready is not None:
            on_ready(address[0], address[1])

    with listening:
        if workers == 1:
            Server(make_application(), manner, ready).run_on(listening)
        else:
            Supervisor(make_application, listening, workers, manner, ready).run()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as fault:
        raise CannotListen(f"cannot listen on {host}: {fault.strerror}") from fault
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as fault:
        listening.close()
        raise CannotListen(f"cannot listen on {host}, port {port}: {fault.strerror}") from fault
    return listening


def _allow_many_files() -> None:
    """The usual soft limit of 1024 open files would be reached before our own bound on connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
