"""What a search asks, from what people write in Python (PS3.18 §8.3.4, §10.6.1.2)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from dicomgate import errors
from dicomgate.dicom import attributes

Wanted = str | int | float | dt.date | Sequence[str | int | float] | None
"""What an attribute is to be: with wildcards and ranges as the standard has them; several mean any of them.

None means any value, and asks for the attribute to be given.
"""


def pairs(
    keys: Mapping[str, Wanted], *, fields: Sequence[str] = (), order_by: Sequence[str] = (), fuzzy: bool = False
) -> list[tuple[str, str]]:
    """The parameters of a search. Malformed for what is no attribute of DICOM."""
    found: list[tuple[str, str]] = []
    is_any = False
    for name, wanted in keys.items():
        path = _path(name)
        if wanted is None:
            found.append(("includefield", attributes.format_path(path)))
            continue
        several = not isinstance(wanted, str | int | float | dt.date)
        is_uid = attributes.vr(path[-1]) == "UI"
        is_any = is_any or (several and not is_uid)
        found.append((attributes.format_path(path), _format(wanted, "," if is_uid else "\\")))
    found += [("multiplevaluematching", "true")] * is_any
    found += [("fuzzymatching", "true")] * fuzzy
    found += [("includefield", field if field == "all" else attributes.format_path(_path(field))) for field in fields]
    if order_by:
        found.append(("orderby", ",".join(_order(name) for name in order_by)))
    return found


def _order(name: str) -> str:
    return "-" * name.startswith("-") + attributes.format_path(_path(name.removeprefix("-")))


def _path(name: str) -> tuple[str, ...]:
    """Of a keyword, a tag, or a path of them, with dots or, as Python has it, two underscores between."""
    path = attributes.parse_path(name.replace("__", "."))
    if path is None:
        raise errors.Malformed("expected the keyword or tag of an attribute of DICOM")
    return path


def _format(wanted: Wanted, between: str) -> str:
    if isinstance(wanted, dt.datetime):
        return f"{wanted:%Y%m%d%H%M%S}"
    if isinstance(wanted, dt.date):
        return f"{wanted:%Y%m%d}"
    if isinstance(wanted, str | int | float) or wanted is None:
        return str(wanted)
    return between.join(map(str, wanted))
