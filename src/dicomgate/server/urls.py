"""What we are called: the address that links in answers start with (V12, RET-08). Never taken from Host (T16)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, MutableMapping
from functools import lru_cache
from typing import Any, Final

from dicomgate.tunnel.frames import BASE

_HOST: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_SCHEMES: Final = frozenset({"http", "https"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_FORWARDING: Final = frozenset({b"forwarded", b"x-forwarded-host", b"x-forwarded-proto"})

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Header = tuple[bytes, bytes]


class Addresses:
    """Knows the address to start links with, from settings, a trusted proxy's word, or the socket."""

    def __init__(self, public_url: str, trusted_proxies: tuple[str, ...], hosts: tuple[str, ...] | None = None) -> None:
        self._public_url = public_url.rstrip("/")
        self.is_trusted = trust(trusted_proxies)
        self._has_proxies = bool(trusted_proxies)
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)

    def answers_to(self, host: str | None, scope: MutableMapping[str, Any]) -> bool:
        """True when a request may name this host: a page elsewhere could make its own name point here (T16).

        A proxy that is trusted says itself whom the caller asked.
        """
        if self._hosts is None or host is None or _is_ours(host, self._hosts) or _told(scope):
            return True
        return self._forwarded(scope) is not None

    def base(self, scope: MutableMapping[str, Any]) -> str:
        """Scheme, host and port (and the public path before ours), without a slash at the end."""
        if told := _told(scope):
            return told
        if self._public_url:
            return self._public_url
        return self._forwarded(scope) or format_address(scope["scheme"], scope["server"])

    def _forwarded(self, scope: MutableMapping[str, Any]) -> str | None:
        """The address that a trusted proxy says the caller used."""
        if self._has_proxies and scope["client"] and self.is_trusted(scope["client"][0]):
            return parse_forwarding(scope["headers"])
        return None


def _told(scope: MutableMapping[str, Any]) -> str:
    """The address that this process itself says the caller used: he came through a tunnel."""
    extension = scope.get("extensions", {}).get(BASE)
    return str(extension["address"]) if extension else ""


@lru_cache(maxsize=256)
def _is_ours(host: str, hosts: frozenset[str]) -> bool:
    if not _HOST.fullmatch(host):
        return False
    name = host.partition("]")[0][1:] if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".") in hosts or is_loopback(name)


def is_loopback(name: str) -> bool:
    """True for a name or an address that always means this machine (RFC 6761 §6.3)."""
    lower = name.lower().rstrip(".")
    if lower == "localhost" or lower.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(lower).is_loopback
    except ValueError:
        return False


def trust(proxies: tuple[str, ...]) -> Callable[[str], bool]:
    """A question that tells whether an address is one of the proxies. ValueError for what is no address or network."""
    networks: tuple[Network, ...] = tuple(ipaddress.ip_network(proxy, strict=False) for proxy in proxies)

    @lru_cache(maxsize=1024)
    def is_trusted(address: str) -> bool:
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in networks)

    return is_trusted


def format_address(scheme: str, server: tuple[str, int | None] | None) -> str:
    """The address of a socket as the start of a URL."""
    host, port = server or ("127.0.0.1", None)
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port in {None, _DEFAULT_PORTS.get(scheme)} else f"{scheme}://{shown}:{port}"


def parse_forwarding(headers: list[Header]) -> str | None:
    """The address a proxy says the caller used (RFC 7239, or X-Forwarded-*); None where it says none that is sound."""
    said = {name: value for name, value in headers if name in _FORWARDING}
    if b"forwarded" in said:
        scheme, host = _parse_forwarded(said[b"forwarded"].decode("latin-1"))
    else:
        scheme = _last(said.get(b"x-forwarded-proto", b"")).lower()
        host = _last(said.get(b"x-forwarded-host", b""))
    if scheme not in _SCHEMES or not _HOST.fullmatch(host):
        return None
    return f"{scheme}://{host}"


def _parse_forwarded(value: str) -> tuple[str, str]:
    # The last element was written by the proxy next to us; earlier ones a caller may have invented.
    pairs = (pair.partition("=") for pair in value.rpartition(",")[2].split(";"))
    said = {name.strip().lower(): text.strip().strip('"') for name, _, text in pairs}
    return said.get("proto", "").lower(), said.get("host", "")


def _last(value: bytes) -> str:
    return value.decode("latin-1").rpartition(",")[2].strip()
