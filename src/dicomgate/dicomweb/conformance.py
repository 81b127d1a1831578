"""The tables of the conformance statement, from what the services are made of (PS3.2, PS3.18 §6; GEN-14)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dicomgate.dicom import attributes, syntaxes
from dicomgate.dicom.presentation import Annotation, Profile, WindowFunction
from dicomgate.dicom.uids import Level
from dicomgate.dicomweb import capabilities, keys, query, rendering, text_charsets, wado_uri
from dicomgate.dicomweb.capabilities import Transaction
from dicomgate.dicomweb.resources import Resource


def format_markdown() -> str:
    """The generated half of docs/conformance.md."""
    found = capabilities.transactions(_everything)
    sections = (
        ("Transactions", _transactions(found)),
        ("Parameters", _parameters()),
        ("Matching keys", _keys()),
        ("Transfer syntaxes", _syntaxes()),
        ("Media types of pictures and bulk data", _media_types()),
        ("Character sets of rendered texts", [", ".join(f"`{name}`" for name in text_charsets.NAMES)]),
    )
    return "\n\n".join("\n".join((f"## {title}", "", *lines)) for title, lines in sections) + "\n"


def _everything(resource: Resource) -> tuple[str, ...]:
    """The methods where everything is switched on."""
    storing = ("POST",) if resource.can_take_instances else ()
    updating = ("PATCH",) if resource.can_be_corrected else ()
    return ("GET", *storing, *updating, *(("DELETE",) if resource.can_be_deleted else ()))


def _table(*titles: str, rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (titles, ("---",) * len(titles), *rows):
        yield f"| {' | '.join(row)} |"


def _transactions(found: Iterable[Transaction]) -> Iterator[str]:
    rows = (
        (
            f"`{each.method} /{each.path}`",
            each.name,
            ", ".join(f"`{type_}`" for type_ in dict.fromkeys(map(_bare, each.gives))) or "nothing",
            f"{each.statuses[0]}; {each.statuses[1]}",
        )
        for each in found
    )
    return _table("request", "transaction", "answers, the default first", "statuses", rows=rows)


def _bare(media_type: str) -> str:
    """Without its transfer syntax, of which there is a table of its own."""
    return media_type.partition("; transfer-syntax")[0]


def _parameters() -> Iterator[str]:
    words = {
        "annotation": [each.value for each in Annotation],
        "iccprofile": [each.value for each in Profile],
        "window": [f"center,width,{each.value}" for each in WindowFunction],
        "quality": ["1 to 100, 100 is best: of types that compress with loss, others ignore it"],
        "viewport": [f"at most {rendering.LARGEST_SIDE} a side"],
    }
    rows = (
        ("search", _codes(sorted(query.PARAMETERS)), f"at most {keys.MOST} conditions"),
        *(("rendered", f"`{name}`", _codes(words.get(name, []))) for name in rendering.PARAMETERS),
        ("thumbnail", _codes(rendering.THUMBNAIL_PARAMETERS), ""),
        ("URI service", _codes(wado_uri.PARAMETERS), ""),
    )
    return _table("service", "parameters", "values", rows=rows)


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


def _keys() -> Iterator[str]:
    rows = (
        (level.name.lower(), _codes(attributes.format_path(path) for path in attributes.MATCHING_KEYS[level]))
        for level in Level
    )
    return _table("level", "attributes", rows=rows)


def _syntaxes() -> Iterator[str]:
    rows = (
        (
            f"`{each.uid}`",
            each.name,
            "yes" if capabilities.is_negotiated(each.uid) else "never by name",
            "yes" if each.can_decode else "as stored only",
            "yes" if each.can_encode else "",
        )
        for each in syntaxes.TABLE.values()
    )
    return _table("UID", "name", "sent as stored", "decoded", "encoded on request", rows=rows)


def _media_types() -> Iterator[str]:
    names: dict[str, list[str]] = {}
    for each in syntaxes.TABLE.values():
        names.setdefault(each.media_type, []).append(f"`{each.uid}`")
    return _table(
        "media type", "transfer syntaxes", rows=((f"`{name}`", ", ".join(uids)) for name, uids in names.items())
    )
