"""Settings: one tree of frozen dataclasses, filled from defaults, files, the environment and options, in that order.

Only `assembly` and `cli` read it; rooms get plain arguments. An unknown name is an error at every depth, so that a
slip of the pen never means "as before". `docs/settings.md` is made from these classes.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import ipaddress
import math
import os
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from dicomgate import errors
from dicomgate.dicom import limits

SYSTEM_FILE = Path("/etc/dicomgate.toml")
LOCAL_FILE = Path("dicomgate.toml")
PREFIX = "DICOMGATE__"
DEFAULT = "default"
MIB = 1 << 20
GIB = 1 << 30


class WrongSetting(errors.Malformed):
    """A setting that does not exist, or a value that it cannot have."""


class Form(NamedTuple):
    """What a text that is not empty must look like, and how to say so."""

    words: str
    fits: Callable[[str], bool]


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(" ?#")
    return parts.scheme in {"http", "https"} and bool(host) and is_plain


def _is_origin(text: str) -> bool:
    return text in {"*", "loopback"} or (_is_address(text) and urlsplit(text).path in {"", "/"})


def _is_host(text: str) -> bool:
    return text.isascii() and len(text) <= 253 and all(character.isalnum() or character in "-._:" for character in text)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


_REMOTE = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")


def _is_plain(text: str) -> bool:
    return text.isprintable() and "\\" not in text


def _is_rule(text: str) -> bool:
    from dicomgate.dicom import assignments  # noqa: PLC0415 - the dictionary takes its time, and few name a rule

    return assignments.is_assignment(text)


_ADDRESS = Form("an address as https://pacs.example.org", _is_address)
_ORIGIN = Form("an origin as https://viewer.example.org, loopback or *", _is_origin)
_HOST = Form("a host name as pacs.example.org, without a port", _is_host)
_NETWORK = Form("an IP address or network as 10.0.0.0/8", _is_network)


def _is_title(text: str) -> bool:
    return len(text) <= 16 and text.isascii() and text.isprintable() and "\\" not in text and text == text.strip()


_TITLE = Form("an AE title: 1 to 16 characters of ASCII without backslash", _is_title)
_SITE = Form(
    "NAME=FILE, the name of lower-case letters, digits, - and _",
    lambda text: re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}=.+", text) is not None,
)
_CALLER = Form(
    "TITLE, TITLE@NETWORK or @NETWORK, as MODALITY@10.0.0.0/8",
    lambda text: _is_title(text.partition("@")[0]) and ("@" not in text or _is_network(text.partition("@")[2])),
)
_PEER = Form(
    "TITLE@HOST:PORT, with /tls behind it where the peer takes TLS alone",
    lambda text: re.fullmatch(r"[^@\\\\]{1,16}@\S+:[0-9]{1,5}(/tls)?", text) is not None and text.isascii(),
)
_NAME_OR_URL = Form(
    "the name of a remote or an address as https://hub.example.org/dicomweb",
    lambda text: _REMOTE.fullmatch(text) is not None or _is_address(text),
)
_NAME = Form("1 to 64 printable characters without backslash", lambda text: len(text) <= 64 and _is_plain(text))
_RULE = Form("Keyword=value or Keyword?=value, of an attribute that may be set", _is_rule)


def _setting(
    default: Any, says: str, *, least: float | None = None, most: float | None = None, form: Form | None = None
) -> Any:
    return field(default=default, metadata={"says": says, "least": least, "most": most, "form": form})


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to listen, who may ask, and how long to wait for a caller."""

    host: str = _setting("127.0.0.1", "address to listen on; one beyond loopback needs `no_auth`")
    port: int = _setting(8104, "TCP port; 0 takes any free one", least=0, most=65535)
    workers: int = _setting(1, "processes that serve side by side", least=1, most=256)
    public_url: str = _setting(
        "", "what callers call us, for the links in answers: `https://pacs.example.org`", form=_ADDRESS
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (), "addresses or networks whose `Forwarded` headers are believed", form=_NETWORK
    )
    allowed_hosts: tuple[str, ...] = _setting(
        (),
        "further names to answer to (`Host`); on a loopback address others than this machine's and `public_url`'s "
        "are refused, so that no foreign page gets in by a name that points here",
        form=_HOST,
    )
    cors_origins: tuple[str, ...] = _setting(
        ("loopback",),
        "origins whose pages may read answers: `https://x.org`, `loopback` (this machine), `*` (any)",
        form=_ORIGIN,
    )
    no_auth: bool = _setting(False, "said aloud: everybody who reaches the address may do everything")
    tls_certificate: str = _setting(
        "", "serve HTTPS with this certificate (PEM, with those that vouch for it); a renewed one is used at once"
    )
    tls_key: str = _setting("", "the certificate's private key (PEM, without a password)")
    http2: bool = _setting(False, "HTTP/2 beside HTTP/1.1, on the same port; without TLS for callers who know (h2c)")
    header_seconds: float = _setting(10.0, "longest wait for a whole request header", least=0.1)
    stall_seconds: float = _setting(60.0, "longest pause within a request body, or of a reader of an answer", least=0.1)
    idle_seconds: float = _setting(75.0, "how long an idle connection is kept", least=0.1)
    stop_seconds: float = _setting(30.0, "how long requests in flight may take to finish when asked to stop", least=0)
    sites: tuple[str, ...] = _setting(
        (),
        "archives that may dial in and are then served below `/sites/NAME`: `NAME=FILE` with a file that holds the "
        "site's token ([how](how-to/tunnel.md))",
        form=_SITE,
    )
    site_seconds: float = _setting(120.0, "longest silence of such an archive that owes an answer", least=0.1)
    connections: int = _setting(1000, "most connections per process at once", least=1)
    connections_per_address: int = _setting(
        200, "most connections per process from one address; 0 is no bound", least=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """What is taken in, and what is done with it."""

    duplicates: Literal["refuse", "replace", "keep-first", "keep-versions"] = _setting(
        "refuse", "other content under a stored UID: `refuse`, `replace`, `keep-first` or `keep-versions`"
    )
    allow_delete: bool = _setting(False, "DELETE of studies, series and instances is offered")
    allow_update: bool = _setting(False, "PATCH of patient and study attributes is offered")
    keep_originals: bool = _setting(True, "what was corrected stays as an earlier version of each instance")
    other_patient: Literal["refuse", "coerce"] = _setting(
        "refuse",
        "an instance of a stored study that is of another Patient ID (or name, where there is no ID): `refuse` it; or "
        "`coerce` it, also one of the same ID and another name, to the study's",
    )
    coerce: tuple[str, ...] = _setting(
        (), "attributes set in all that comes, `Keyword=value`, or `Keyword?=value` where there is none", form=_RULE
    )
    system_name: str = _setting(
        "DICOMGATE", "what we call ourselves where a change is recorded in an instance", form=_NAME
    )
    quota_bytes: int = _setting(0, "most bytes of all stored files together; 0 is no bound", least=0)
    min_free_bytes: int = _setting(0, "nothing more is stored while less is free on the disk; 0 is no bound", least=0)
    instance_bytes: int = _setting(16 * GIB, "largest instance", least=1)
    body_bytes: int = _setting(64 * GIB, "largest request body", least=1)
    parts: int = _setting(10_000, "most parts, and most data sets of metadata, in one request", least=1)
    metadata_bytes: int = _setting(
        16 * MIB, "largest metadata (JSON or XML) of one request, its bulk data not counted", least=1
    )
    expansion: int = _setting(
        100, "how many times as large a compressed body (gzip, deflate) may become, beyond 64 MiB", least=1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How much one search gives."""

    most: int = _setting(10_000, "most results of one answer; when there are more, the answer says so", least=1)
    strict: bool = _setting(False, "an unknown search parameter is 400 instead of a warning")
    scan_rows: int = _setting(
        100_000, "most studies, series and instances that one search by attributes without an index looks at", least=1
    )
    scan_seconds: float = _setting(5.0, "longest time that it looks at them; beyond either bound it is 413", least=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """What callers and caches on the way may keep of answers ([how](how-to/cache.md)), and what is kept here."""

    seconds: int = _setting(
        86_400,
        "how long frames and bulk data are used without asking again; "
        "0 in any case where files may be deleted, replaced or corrected, and in a folder served in place",
        least=0,
        most=31_536_000,
    )
    memory_bytes: int = _setting(64 * MIB, "metadata of each process that is kept ready to be sent again", least=0)
    disk_bytes: int = _setting(
        GIB,
        "pictures, texts and frames that were made, kept on disk to be sent again by all processes; 0 keeps none",
        least=0,
    )
    shared: bool = _setting(
        False, "caches that serve several people may keep answers (`public`), but for callers who say who they are"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on one data set, checked before anything is allocated."""

    depth: int = _setting(64, "deepest nesting of sequences", least=1, most=500)
    elements: int = _setting(50_000, "most elements outside functional groups", least=1)
    enhanced_elements: int = _setting(1_000_000, "most elements inside functional groups", least=1)
    items: int = _setting(100_000, "most sequence items outside functional groups", least=1)
    seconds: float = _setting(30.0, "longest time to read one header", least=0.1)
    inflated_bytes: int = _setting(4 * GIB, "largest data set after inflating", least=1)

    def bounds(self) -> limits.Limits:
        """The same in the words of who reads data sets."""
        return limits.Limits(
            depth=self.depth,
            elements=self.elements,
            enhanced_elements=self.enhanced_elements,
            items=self.items,
            seconds=self.seconds,
            inflated=self.inflated_bytes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder served in place."""

    watch_seconds: float = _setting(2.0, "pause between two looks for new or changed files", least=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What is stored, converted or split ([how](how-to/enhanced.md))."""

    convert_at_arrival: bool = _setting(
        False,
        "a data folder stores the enhanced objects of what comes, too, once a series is quiet; what came stays",
    )
    quiet_seconds: float = _setting(60.0, "a series is quiet when nothing has come of it for so long", least=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What is written to standard error, as JSON lines without patient data."""

    requests: bool = _setting(False, "one line per request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacs:
    """The PACS behind a gateway ([how](how-to/gateway.md)). `dicomgate gateway init` writes such a section."""

    title: str = _setting("", "the PACS's AE title", form=_TITLE)
    host: str = _setting("", "its host name or address", form=_HOST)
    port: int = _setting(104, "its TCP port", least=1, most=65535)
    own_title: str = _setting("DICOMGATE", "our AE title, which the PACS has to know", form=_TITLE)
    own_host: str = _setting("", "how the PACS reaches this machine, for what `gateway check` advises", form=_HOST)
    move_host: str = _setting("", "address to listen on for what the PACS sends by C-MOVE; empty is every one")
    move_port: int = _setting(11112, "TCP port for that; 0 listens on none: C-GET alone", least=0, most=65535)
    senders: tuple[str, ...] = _setting(
        (), "addresses or networks beside the PACS's own from which instances are taken", form=_NETWORK
    )
    retrieve: Literal["auto", "get", "move"] = _setting(
        "auto", "`get`: C-GET alone; `move`: C-MOVE alone; `auto`: C-GET, and C-MOVE where the PACS does not do it"
    )
    associations: int = _setting(8, "most associations with the PACS at once", least=1, most=256)
    connect_seconds: float = _setting(10.0, "longest wait for a connection and an association", least=0.1)
    answer_seconds: float = _setting(60.0, "longest silence of the PACS in the midst of an answer", least=0.1)
    wait_seconds: float = _setting(30.0, "longest wait of a request while all associations are in use", least=0)
    keep_seconds: float = _setting(20.0, "how long an association is kept unused; 0 ends it at once", least=0)
    character_set: str = _setting(
        "", "in which the PACS is asked what is not ASCII: one defined term, as ISO_IR 100; empty is UTF-8"
    )
    answers: int = _setting(2000, "most answers of the PACS that one search looks at", least=1)
    fan_out: int = _setting(200, "most studies and series that are asked about for one search across them", least=1)
    cache: str = _setting("", "folder for the series that are kept; empty is one in the user's cache")
    cache_bytes: int = _setting(20 * GIB, "most bytes of kept series; those used longest ago go first", least=0)
    check_seconds: float = _setting(
        60.0, "for so long a kept series is used without asking the PACS whether it has changed", least=0
    )
    metadata_seconds: float = _setting(
        2.0, "so long metadata may take to come whole; what takes longer is given as it comes", least=0
    )
    tls: bool = _setting(False, "speak with the PACS over TLS")
    tls_authorities: str = _setting("", "believe the PACS if one of these certificates (PEM) vouches for it")
    tls_certificate: str = _setting("", "a certificate that says who we are (PEM, with those that vouch for it)")
    tls_key: str = _setting("", "the certificate's private key (PEM, without a password)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimse:
    """The DIMSE door beside HTTP ([how](how-to/dimse.md)): what is served is reached by C-FIND, C-GET and the like."""

    port: int = _setting(
        -1, "TCP port, by custom 11112 or 104; 0 takes any free one, -1 opens no door", least=-1, most=65535
    )
    host: str = _setting(
        "127.0.0.1",
        "address to listen on; one beyond loopback needs `callers`, certificates of callers (`tls_authorities`) or "
        "`server.no_auth`",
    )
    title: str = _setting("DICOMGATE", "our AE title", form=_TITLE)
    any_title: bool = _setting(False, "answer also who calls us by another AE title")
    callers: tuple[str, ...] = _setting(
        (),
        "who may call: `TITLE`, `TITLE@NETWORK` or `@NETWORK`; empty is everybody who reaches the port",
        form=_CALLER,
    )
    peers: tuple[str, ...] = _setting(
        (), "to whom a C-MOVE may send: `TITLE@HOST:PORT`, `TITLE@HOST:PORT/tls` over TLS", form=_PEER
    )
    processes: int = _setting(0, "processes that serve side by side; 0 is one per processor", least=0, most=256)
    associations: int = _setting(100, "most associations per process at once", least=1)
    associations_per_address: int = _setting(50, "most of them from one address", least=1)
    opening_seconds: float = _setting(10.0, "longest wait until an association is asked for (ARTIM)", least=0.1)
    stall_seconds: float = _setting(60.0, "longest pause within a message, or of a reader of an answer", least=0.1)
    idle_seconds: float = _setting(300.0, "how long an idle association is kept", least=0.1)
    matches: int = _setting(100_000, "most matches of one C-FIND; beyond them it fails, and says so", least=1)
    tls_certificate: str = _setting(
        "", "take TLS alone, with this certificate (PEM, with those that vouch for it); a renewed one is used at once"
    )
    tls_key: str = _setting("", "the certificate's private key (PEM, without a password)")
    tls_authorities: str = _setting(
        "", "callers, and peers called over TLS, have to show a certificate that one of these (PEM) vouches for"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """What `dicomgate relay` holds until each of `[destinations.NAME]` has it ([how](how-to/relay.md))."""

    folder: str = _setting("", "where it is held; empty is `dicomgate/relay` in the user's state folder")
    most_bytes: int = _setting(0, "most bytes that are held; beyond them nothing is taken in; 0 is no bound", least=0)
    min_free_bytes: int = _setting(0, "take nothing in when the disk would have fewer bytes left", least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A server that is called by a name of its own, and who we are there. Secrets stand in files of their own.

    Names are lower-case letters, digits, `-` and `_`. `dicomgate config add-remote` writes such a section.
    """

    url: str = _setting("", "where its DICOMweb services are: `https://pacs.example.org/dicomweb`", form=_ADDRESS)
    token_file: str = _setting("", "a file with a bearer token")
    user: str = _setting("", "a name to say, with the password of `password_file`")
    password_file: str = _setting("", "a file with the password of `user`")
    token_url: str = _setting("", "where an access token is asked for (OAuth 2.0 client credentials)", form=_ADDRESS)
    client_id: str = _setting("", "who asks at `token_url`")
    client_secret_file: str = _setting("", "a file with the secret of `client_id`")
    scope: str = _setting("", "what is asked for at `token_url`")
    certificate: str = _setting("", "a certificate that says who we are (PEM, with those that vouch for it)")
    key: str = _setting("", "the certificate's private key (PEM, without a password)")
    authorities: str = _setting("", "believe the server if one of these certificates (PEM) vouches for it")


def _is_match(text: str) -> bool:
    from dicomgate.dicom import attributes  # noqa: PLC0415 - the dictionary takes its time, and few name a rule

    keyword, sign, _ = text.partition("=")
    return bool(sign) and attributes.parse_path(keyword.strip()) is not None


_MATCH = Form("Keyword=value, of an attribute of DICOM", _is_match)
_CALLING = Form("AE titles: 1 to 16 characters of ASCII without backslash each", _is_title)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A server to which `dicomgate relay` sends what comes in ([how](how-to/relay.md)), by a name of its own.

    What an instance has to be like to be sent there: all that is set here has to hold. Names are as those of remotes.
    """

    to: str = _setting("", "the name of a remote, or an address: `https://hub.example.org/dicomweb`", form=_NAME_OR_URL)
    callers: tuple[str, ...] = _setting((), "only what these AE titles send; empty is everybody", form=_CALLING)
    match: tuple[str, ...] = _setting(
        (),
        "only what has these values, as a search would find it: `Modality=CT`, `StudyDescription=*CHEST*`; of one "
        "attribute any will do, of several all have to hold",
        form=_MATCH,
    )
    requests: int = _setting(2, "most requests to it at once", least=1, most=64)
    bytes_per_second: int = _setting(0, "most bytes that leave for it in a second; 0 is no bound", least=0)
    compress: Literal["none", "jpeg-ls", "jpeg-2000", "htj2k", "rle"] = _setting(
        "none", "bring uncompressed pictures into this lossless syntax before they leave"
    )
    pause_seconds: float = _setting(1.0, "first pause after a failure; doubled with each further one", least=0.01)
    longest_pause_seconds: float = _setting(300.0, "longest pause between two tries", least=0.01)
    doubts: int = _setting(
        6, "so often may an instance fail by itself, while others pass, before it goes to the shelf", least=1
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; `sources` tells where each dotted name got its value."""

    server: Server = Server()
    store: Store = Store()
    search: Search = Search()
    cache: Cache = Cache()
    limits: Limits = Limits()
    folder: Folder = Folder()
    log: Log = Log()
    views: Views = Views()
    pacs: Pacs = Pacs()
    dimse: Dimse = Dimse()
    relay: Relay = Relay()
    remotes: Mapping[str, Remote] = field(default_factory=dict)
    destinations: Mapping[str, Destination] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    def value(self, name: str) -> Any:
        """The value of a dotted name that exists."""
        section, _, key = name.rpartition(".")
        family, _, named = section.partition(".")
        if family in FAMILIES:
            return getattr(getattr(self, family)[named], key)
        return getattr(getattr(self, section), key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as the documentation and the conversions need it."""

    name: str
    kind: Any
    default: Any
    says: str
    least: float | None
    most: float | None
    form: Form | None

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.name.upper().replace(".", "__")


def _declared(section: str, kind: type) -> Iterator[Setting]:
    kinds = typing.get_type_hints(kind)
    for item in dataclasses.fields(kind):
        yield Setting(name=f"{section}.{item.name}", kind=kinds[item.name], default=item.default, **dict(item.metadata))


def sections() -> dict[str, type]:
    """The sections by name, in the order of the documentation."""
    kinds = typing.get_type_hints(Settings)
    others = {"remotes", "destinations", "sources"}
    return {item.name: kinds[item.name] for item in dataclasses.fields(Settings) if item.name not in others}


TABLE: dict[str, Setting] = {
    setting.name: setting for section, kind in sections().items() for setting in _declared(section, kind)
}
"""Every setting by its dotted name, but for those of what has a name of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Sections that each have a name: `[remotes.NAME]`. `needed`: what each has to say."""

    kind: type
    one: str
    needed: str
    table: dict[str, Setting]


def _family(name: str, kind: type, one: str, needed: str) -> Family:
    declared: Iterator[Setting] = _declared(f"{name}.NAME", kind)
    table = {setting.name.rpartition(".")[2]: setting for setting in declared}
    return Family(kind=kind, one=one, needed=needed, table=table)


FAMILIES: dict[str, Family] = {
    "remotes": _family("remotes", Remote, "a remote", "url"),
    "destinations": _family("destinations", Destination, "a destination", "to"),
}
"""What can be set of each remote and destination."""
REMOTE_TABLE: dict[str, Setting] = FAMILIES["remotes"].table


def read(
    *,
    file: Path | None = None,
    options: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    system_file: Path = SYSTEM_FILE,
) -> Settings:
    """Settings from all sources: `options` (dotted names, None is "not said") win over everything.

    `file` stands in for `dicomgate.toml` in the directory, and must exist. Raises WrongSetting.
    """
    found: dict[str, tuple[Any, str]] = {}
    local = (directory or Path.cwd()) / LOCAL_FILE
    for path in (system_file, file or local):
        if path == file or path.is_file():
            found.update(_from_file(path))
    found.update(_from_environment(os.environ if environment is None else environment))
    said = {name: value for name, value in (options or {}).items() if value is not None}
    found.update((name, (_convert(_get(name, "options"), value, "options"), "option")) for name, value in said.items())
    return _settings(found)


def _settings(found: Mapping[str, tuple[Any, str]]) -> Settings:
    filled = {
        section: kind(
            **{name.partition(".")[2]: value for name, (value, _) in found.items() if name.startswith(section + ".")}
        )
        for section, kind in sections().items()
    }
    named = {family: _named(found, family) for family in FAMILIES}
    names = list(TABLE)
    for family, members in FAMILIES.items():
        names += (f"{family}.{name}.{key}" for name in named[family] for key in members.table)
    sources = {name: found[name][1] if name in found else DEFAULT for name in names}
    return Settings(**{**filled, **named}, sources=sources)


def _named(found: Mapping[str, tuple[Any, str]], family: str) -> dict[str, Any]:
    """Each remote, or destination, with what all sources say of it."""
    said: dict[str, dict[str, Any]] = {}
    needed = FAMILIES[family].needed
    for dotted, (value, _) in found.items():
        if dotted.startswith(f"{family}."):
            name, _, key = dotted.removeprefix(f"{family}.").partition(".")
            said.setdefault(name, {})[key] = value
    for name, keys in said.items():
        if not keys.get(needed):
            where = next(source for dotted, (_, source) in found.items() if dotted.startswith(f"{family}.{name}."))
            raise WrongSetting(f"{where}: {family}.{name} has no {needed}")
    return {name: FAMILIES[family].kind(**said[name]) for name in sorted(said)}


def _from_file(path: Path) -> Iterator[tuple[str, tuple[Any, str]]]:
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except OSError as fault:
        raise WrongSetting(f"{path}: cannot be read: {fault.strerror}") from fault
    except ValueError as fault:  # TOMLDecodeError and UnicodeDecodeError both are
        raise WrongSetting(f"{path}: not TOML: {fault}") from fault
    for section, keys in tree.items():
        if section not in {*sections(), *FAMILIES}:
            raise _unknown(section, str(path), [*sections(), *FAMILIES])
        if not isinstance(keys, dict):
            raise WrongSetting(f"{path}: {section} is a section: write [{section}] and its settings below")
        for key, value in _below(section, keys, str(path)):
            setting = _get(key, str(path))
            yield setting.name, (_convert(setting, value, str(path)), str(path))


def _below(section: str, keys: dict[str, Any], where: str) -> Iterator[tuple[str, Any]]:
    """What stands in a section, by dotted names; what has a name of its own has a section each."""
    family = FAMILIES.get(section)
    for key, value in keys.items():
        if family is None:
            yield f"{section}.{key}", value
            continue
        if not isinstance(value, dict):
            raise WrongSetting(f"{where}: {family.one} is a section: write [{section}.NAME] and its settings below")
        if not value:
            raise WrongSetting(f"{where}: {family.one} has no {family.needed}")
        named = f"{section}.{check_name(key, where, family.one)}"
        yield from ((f"{named}.{inner}", held) for inner, held in value.items())


def check_remote_name(name: str, where: str) -> str:
    """The name itself. WrongSetting when no remote can be called so."""
    return check_name(name, where, "a remote")


def check_name(name: str, where: str, one: str) -> str:
    """The same of anything that has a name of its own."""
    if _REMOTE.fullmatch(name) is None:
        raise WrongSetting(
            f"{where}: {one}'s name is 1 to 64 lower-case letters, digits, - and _, and neither of these at its ends"
        )
    return name


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, tuple[Any, str]]]:
    by_variable = {setting.variable: setting for setting in TABLE.values()}
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        setting = by_variable.get(variable) or _named_variable(variable)
        if setting is None:
            raise _unknown(variable, "environment", list(by_variable))
        yield setting.name, (_convert(setting, _from_text(setting, environment[variable]), variable), variable)


def _named_variable(variable: str) -> Setting | None:
    """The setting of a remote or destination that a variable names: DICOMGATE__REMOTES__NAME__URL."""
    for family, members in FAMILIES.items():
        prefix = f"{PREFIX}{family.upper()}__"
        name, sign, key = variable.lower().removeprefix(prefix.lower()).rpartition("__")
        if variable.startswith(prefix) and sign and key in members.table:
            return _get(f"{family}.{check_name(name, 'environment', members.one)}.{key}", variable)
    return None


_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _from_text(setting: Setting, text: str) -> Any:
    """What the text of an environment variable means, before it is checked like a value from TOML."""
    if setting.kind is bool:
        return _WORDS.get(text.strip().lower(), text)
    if setting.kind in (int, float):
        try:
            return setting.kind(text)
        except ValueError:
            return text
    if _is_list(setting.kind):
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _convert(setting: Setting, value: Any, where: str) -> Any:
    expected, converted = _converted(setting.kind, value)
    if converted is None:
        raise WrongSetting(f"{where}: {setting.name} must be {expected}, saw {_kind_of(value)}")
    if setting.least is not None and converted < setting.least:
        raise WrongSetting(f"{where}: {setting.name} must be at least {setting.least:g}, saw {converted:g}")
    if setting.most is not None and converted > setting.most:
        raise WrongSetting(f"{where}: {setting.name} must be at most {setting.most:g}, saw {converted:g}")
    texts = converted if isinstance(converted, tuple) else (converted,)
    if setting.form is not None and not all(setting.form.fits(text) for text in texts if text):
        raise WrongSetting(f"{where}: {setting.name} must be {setting.form.words}, saw another text")
    return converted


def _converted(kind: Any, value: Any) -> tuple[str, Any]:
    """What is expected in words, and the value as that kind or None."""
    if typing.get_origin(kind) is Literal:
        words = typing.get_args(kind)
        return "one of " + ", ".join(words), value if value in words else None
    if _is_list(kind):
        is_good = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
        return "a list of texts", tuple(value) if is_good else None
    if kind is float:
        return "a number", float(value) if type(value) in (int, float) and math.isfinite(value) else None
    name = {str: "a text", int: "a whole number", bool: "true or false"}[kind]
    return name, value if type(value) is kind else None


def _is_list(kind: Any) -> bool:
    return isinstance(kind, types.GenericAlias)


def _kind_of(value: Any) -> str:
    if isinstance(value, str):
        return "another text" if value else "an empty text"
    return {bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a section"}.get(
        type(value), "something else"
    )


def _get(name: str, where: str) -> Setting:
    section, _, key = name.rpartition(".")
    family = FAMILIES.get(section.partition(".")[0])
    if family is not None:
        if key not in family.table:
            raise _unknown(name, where, [f"{section}.{known}" for known in family.table])
        return dataclasses.replace(family.table[key], name=name)
    if name not in TABLE:
        raise _unknown(name, where, list(TABLE))
    return TABLE[name]


def _unknown(name: str, where: str, known: list[str]) -> WrongSetting:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    hint = f"; did you mean {near[0]}?" if near else ""
    return WrongSetting(f"{where}: there is no setting {name}{hint}")


def format_value(value: Any) -> str:
    """A value as TOML writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return "[" + ", ".join(format_value(item) for item in value) + "]"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case int():
            return f"{value:_}" if value >= 100_000 else str(value)
        case _:
            return f"{value:g}"


def format_markdown() -> str:
    """The tables of docs/settings.md."""
    lines: list[str] = []
    for section, kind in sections().items():
        settings = [setting for setting in TABLE.values() if setting.name.startswith(section + ".")]
        lines += _format_section(section, kind, settings)
    for name, family in FAMILIES.items():
        lines += _format_section(f"{name}.NAME", family.kind, list(family.table.values()))
    return "\n".join(lines)


def _format_section(section: str, kind: type, settings: list[Setting]) -> list[str]:
    head = [f"## [{section}]", "", inspect.getdoc(kind) or "", "", "| setting | default | meaning |", "|---|---|---|"]
    rows = [f"| `{setting.name}` | `{format_value(setting.default)}` | {setting.says} |" for setting in settings]
    return [*head, *rows, ""]
