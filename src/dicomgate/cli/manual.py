"""Manual pages, made from what the verbs say of themselves: one for `dicomgate`, one for each verb (man(7))."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from dicomgate import __version__
from dicomgate.cli import main

_KEEPS_LINES = "\b"
_FILES = (
    ("/etc/dicomgate.toml", "Settings of this machine."),
    ("./dicomgate.toml", "Settings of the working directory, over those of the machine."),
)
_ENVIRONMENT = (
    ("DICOMGATE__SECTION__KEY", "A setting, over those of all files, such as DICOMGATE__SERVER__PORT."),
    ("NO_COLOR", "Nothing is coloured."),
)


def make() -> Iterator[tuple[str, str]]:
    """Every page: the name of its file, and its text."""
    with click.Context(main.dicomgate, info_name="dicomgate") as context:
        yield from _pages(main.dicomgate, context)


def _pages(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    name = context.command_path.replace(" ", "-")
    inner = list(_inner(command, context))
    yield f"{name}.1", "\n".join(_page(name, command, context, inner)) + "\n"
    for verb, below in inner:
        with click.Context(below, info_name=verb, parent=context) as deeper:
            yield from _pages(below, deeper)


def _inner(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            below = command.get_command(context, verb)
            assert below is not None, "it was listed"
            yield verb, below


def _page(
    name: str, command: click.Command, context: click.Context, inner: list[tuple[str, click.Command]]
) -> Iterator[str]:
    description, examples = _parts(inspect.cleandoc(command.help or ""))
    yield f'.TH "{_escape(name.upper())}" 1 "" "dicomgate {__version__}" "dicomgate"'
    yield ".SH NAME"
    yield f"{_escape(name)} \\- {_escape(description[0].partition('. ')[0].rstrip('.') if description else name)}"
    yield ".SH SYNOPSIS"
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f".B {_escape(context.command_path)}\n{_escape(pieces)}"
    yield ".SH DESCRIPTION"
    yield from _paragraphs(description)
    if inner:
        yield ".SH COMMANDS"
        for verb, below in inner:
            yield from _entry(verb, below.get_short_help_str(200))
    yield ".SH OPTIONS"
    given = (one for one in command.get_params(context) if isinstance(one, click.Option))
    for record in filter(None, (option.get_help_record(context) for option in given)):
        yield from _entry(*record)
    if examples:
        yield ".SH EXAMPLES"
        yield from _paragraphs(examples)
    yield from _ends(name, inner)


def _ends(name: str, inner: list[tuple[str, click.Command]]) -> Iterator[str]:
    yield ".SH EXIT STATUS"
    for code, words in main.EXIT_CODES.items():
        yield from _entry(str(code), words)
    for title, entries in (("FILES", _FILES), ("ENVIRONMENT", _ENVIRONMENT)):
        yield f".SH {title}"
        for entry in entries:
            yield from _entry(*entry)
    yield ".SH SEE ALSO"
    above = name.rpartition("-")[0]
    others = [above] if above else []
    yield ", ".join(f"\\fB{_escape(other)}\\fR(1)" for other in [*others, *(f"{name}-{verb}" for verb, _ in inner)])


def _parts(text: str) -> tuple[list[str], list[str]]:
    """The paragraphs that describe, and those that show examples: from the one that says so."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
    place = next((number for number, part in enumerate(paragraphs) if part.startswith("For example")), len(paragraphs))
    return paragraphs[:place], [part for part in paragraphs[place:] if not part.startswith("For example,")] or []


def _paragraphs(paragraphs: list[str]) -> Iterator[str]:
    for number, part in enumerate(paragraphs):
        if number:
            yield ".PP"
        if part.lstrip().startswith(_KEEPS_LINES):
            yield ".nf"
            yield from (_escape(line) for line in part.replace(_KEEPS_LINES, "").strip("\n").splitlines())
            yield ".fi"
        else:
            yield _escape(" ".join(part.split()))


def _entry(term: str, says: str) -> Iterator[str]:
    yield ".TP"
    yield f"\\fB{_escape(term)}\\fR"
    yield _escape(says)


def _escape(text: str) -> str:
    """Text that means itself: hyphens as they are typed, nothing at a line's start that is a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("~", "\\(ti")
    escaped = escaped.replace("^", "\\(ha").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
