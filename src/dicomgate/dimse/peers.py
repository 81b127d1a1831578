"""Who may speak with us, and whom we call: AE titles, addresses, hosts (PS3.8 §9.3.2, PS3.15 B.12, T20)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from dicomgate import errors
from dicomgate.dimse import upper_layer

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Caller:
    """Who may call: an AE title, the addresses that it calls from, or both; None is any."""

    title: str | None
    network: _Network | None

    def is_met(self, title: str, address: str) -> bool:
        """True for a calling AE title from an address."""
        if self.title is not None and self.title != title:
            return False
        return self.network is None or _plain(address) in self.network


@dataclass(frozen=True, slots=True)
class Entity:
    """An application entity that we call; `is_encrypted`: by TLS."""

    title: str
    host: str
    port: int
    is_encrypted: bool = False


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    found = ipaddress.ip_address(address.partition("%")[0])
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def parse_caller(text: str) -> Caller:
    """`TITLE`, `TITLE@10.0.0.0/8` or `@10.1.2.3`. Malformed for anything else."""
    title, _, network = text.partition("@")
    if (title and not upper_layer.is_title(title)) or not (title or network):
        raise errors.Malformed("expected an AE title, with or without @ and an address or network")
    try:
        return Caller(title or None, ipaddress.ip_network(network, strict=False) if network else None)
    except ValueError:
        raise errors.Malformed("expected an IP address or network after the @") from None


def format_caller(caller: Caller) -> str:
    """The inverse of `parse_caller`."""
    return (caller.title or "") + ("" if caller.network is None else f"@{caller.network}")


def parse_entity(text: str) -> Entity:
    """`TITLE@host:port`, or `TITLE@host:port/tls`. Malformed for anything else."""
    title, _, place = text.partition("@")
    place, slash, word = place.partition("/")
    host, _, port = place.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    is_host = bool(host) and host.isascii() and host.isprintable() and " " not in host
    if not upper_layer.is_title(title) or not is_host or (slash and word != "tls"):
        raise errors.Malformed("expected TITLE@host:port, with or without /tls")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= 65535):
        raise errors.Malformed("expected a TCP port after the host")
    return Entity(title, host, int(port), is_encrypted=bool(slash))


def format_entity(entity: Entity) -> str:
    """The inverse of `parse_entity`."""
    host = f"[{entity.host}]" if ":" in entity.host else entity.host
    return f"{entity.title}@{host}:{entity.port}" + ("/tls" if entity.is_encrypted else "")


def may_call(callers: Sequence[Caller], title: str, address: str) -> bool:
    """True when one of the callers is met, or none is named."""
    return not callers or any(caller.is_met(title, address) for caller in callers)
