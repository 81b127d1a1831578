"""What the door needs to know, as plain values; the settings file uses the same names where it sets them."""

from __future__ import annotations

from dataclasses import dataclass

from dicomgate.dicom.limits import DEFAULT, Limits

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How much one connection, and all together, may cost before a request is understood (trust rule T13)."""

    header_bytes: int = 64 * KIB
    """Request line and header fields together."""
    header_fields: int = 100
    """Header fields of one request, trailers included."""
    header_seconds: float = 10.0
    """From the first byte of a request (or the opening of the connection) to the end of its header."""
    stall_seconds: float = 60.0
    """A request body must grow, and an answer must be taken, by `progress_bytes` within this time."""
    progress_bytes: int = KIB
    """See `stall_seconds`."""
    idle_seconds: float = 75.0
    """How long a kept connection may wait for its next request."""
    connections: int = 1000
    """Open connections of one worker process."""
    connections_per_address: int = 200
    """Open connections of one worker process from one address, 0 for no bound; trusted proxies are not counted."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks that are not counted."""
    pipelined: int = 16
    """Requests that may wait behind another on one connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the application needs to know."""

    root: str = "/dicomweb"
    """Where the DICOMweb services are, on this host."""
    wado_uri: str = "/wado"
    """Where WADO-URI is."""
    public_url: str = ""
    """How callers reach this host, for links in answers: `https://images.example.org` (V12). Empty: see `urls`."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose forwarding headers are believed (T16)."""
    hosts: tuple[str, ...] | None = None
    """Names in Host that are answered to, beside those of this machine itself; None: any (T16)."""
    cors_origins: tuple[str, ...] = ("loopback",)
    """Web origins whose pages may read answers: `https://viewer.example.org`, `loopback` (any page served from this
    machine), or `*` (any page at all)."""
    strict: bool = False
    """Refuse what the standard refuses, not tolerate it: no Accept header, unknown search keys (AMB-01, V8)."""
    most: int = 10_000
    """Results of one search answer, whatever the caller asks (V7)."""
    body_bytes: int = 64 * GIB
    """Largest request body."""
    instance_bytes: int = 16 * GIB
    """Largest instance."""
    parts: int = 10_000
    """Most parts in one request."""
    metadata_bytes: int = 16 * MIB
    """Metadata of one request, where it comes apart from its bulk data; its data sets are held in memory."""
    expansion: int = 100
    """How many times as large a compressed request body may become (T3)."""
    expansion_free: int = 64 * MIB
    """Bytes that it may become in any case."""
    limits: Limits = DEFAULT
    """Bounds on one data set."""
    store_window: int = 16
    """Instances of one request that are judged and written while the next ones are read."""
    store_memory: int = 128 * MIB
    """Memory for instances that wait to be judged and written, of all requests together; as much again holds what is
    not complete, beyond that it arrives on disk. A larger instance, or larger metadata, goes alone."""
    cache_seconds: int = 0
    """How long frames and values may be used without asking; 0 where they may be deleted or replaced."""
    cache_shared: bool = False
    """Caches that serve several people may keep answers to callers who did not say who they are."""
    cache_memory: int = 64 * MIB
    """Metadata that is ready to be sent again, per process."""
    sites: tuple[tuple[str, str], ...] = ()
    """Names and tokens of sites that may dial in (`server.sites`)."""
    site_seconds: float = 120.0
    """Longest silence of one that owes an answer."""
    reading_threads: int = 16
    """Threads that search and retrieve."""
    storing_threads: int = 32
    """Threads that store; they mostly wait for the disk."""
