"""What a person asks for, in words: a level, and `Keyword=value`, with wildcards and ranges (PS3.18 §8.3.4)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click

from dicomgate.dicom import attributes
from dicomgate.dicom.uids import Level

LEVELS: Final = {"studies": Level.STUDY, "series": Level.SERIES, "instances": Level.INSTANCE}
MANNERS: Final = frozenset({"fuzzymatching", "emptyvaluematching", "multiplevaluematching"})

_MODALITIES: Final = "00080061"  # of a study, though every series tells of one

_YEAR: Final = re.compile(r"[0-9]{4}")
_MONTH: Final = re.compile(r"[0-9]{6}")
_ISO: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Asked:
    """A search: at which level, and the parameters of QIDO-RS."""

    level: Level
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        """The resource that is searched."""
        return f"/{NAMES[self.level]}"


NAMES: Final = {level: name for name, level in LEVELS.items()}


def parse(words: Sequence[str]) -> Asked:
    """What the words ask, at the level they name, else at the lowest one of the attributes.

    Raises click.UsageError for what is no such word.
    """
    named = [word for word in words if word in LEVELS]
    if len(named) > 1:
        raise click.UsageError(f"say one level, not {len(named)}: {', '.join(LEVELS)}")
    pairs = tuple(_parse_pair(word) for word in words if word not in LEVELS)
    return Asked(LEVELS[named[0]] if named else _lowest(pairs), pairs)


def _lowest(pairs: Sequence[tuple[str, str]]) -> Level:
    tags = (path[0] for name, _ in pairs if (path := attributes.parse_path(name)) is not None)
    return max((attributes.level(tag) for tag in tags if tag != _MODALITIES), default=Level.STUDY)


def _parse_pair(word: str) -> tuple[str, str]:
    name, sign, value = word.partition("=")
    if not sign:
        raise click.UsageError(f"expected a level ({', '.join(LEVELS)}) or Keyword=value, saw {word!r}")
    if name in MANNERS:
        return name, value
    path = parse_attribute(name)
    is_date = attributes.vr(path[-1]) == "DA"
    return attributes.format_path(path), parse_dates(value) if is_date else value


def parse_attribute(name: str) -> tuple[str, ...]:
    """The attribute of a keyword, tag or path of them. click.UsageError, with one written alike, for any other."""
    path = attributes.parse_path(name, in_any_case=True)
    if path is not None:
        return path
    near = difflib.get_close_matches(name, list(attributes.keywords()), n=1, cutoff=0.7)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise click.UsageError(f"no attribute {name!r}{hint}")


def parse_fields(text: str | None) -> tuple[tuple[str, ...], ...]:
    """Attributes with commas between them."""
    return tuple(parse_attribute(word.strip()) for word in (text or "").split(",") if word.strip())


def parse_dates(text: str) -> str:
    """A date or range as the standard writes it, from what people write: 2024, 202403, 2024-03-31, with - between two.

    Anything else stays as it is, and is judged by who is asked.
    """
    plain = _ISO.sub(r"\1\2\3", text.strip())
    first, hyphen, last = plain.partition("-")
    if not hyphen:
        whole = _first_day(plain), _last_day(plain)
        return plain if whole[0] == whole[1] else "-".join(whole)
    return f"{_first_day(first)}-{_last_day(last)}"


def _first_day(text: str) -> str:
    if _YEAR.fullmatch(text):
        return f"{text}0101"
    return f"{text}01" if _MONTH.fullmatch(text) else text


def _last_day(text: str) -> str:
    if _YEAR.fullmatch(text):
        return f"{text}1231"
    if _MONTH.fullmatch(text) and 1 <= int(text[4:]) <= 12:
        import calendar

        return f"{text}{calendar.monthrange(max(1, int(text[:4])), int(text[4:]))[1]:02}"
    return text
