"""`dicomgate show`: what an object says, to read; or its picture, in the terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomgate.cli import completion, main, options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomgate.cli.shown import Shown
    from dicomgate.config import Settings
    from dicomgate.origin import JSONDataset

_PICTURES = ("auto", "half", "kitty", "iterm", "sixel")


class _Show(click.Command):
    """Lets --image stand alone, or with a way after a sign; what follows behind a space is never the way."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The words of the command line as click takes them."""
        end = args.index("--") if "--" in args else len(args)
        words = [f"{word}=auto" if word == "--image" else word for word in args[:end]]
        return super().parse_args(ctx, [*words, *args[end:]])


def _parse_window(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[float, float] | None:
    if value is None:
        return None
    try:
        center, width = map(float, value.split(","))
    except ValueError:
        raise click.BadParameter("expected CENTER,WIDTH, such as 40,400", ctx, param) from None
    return center, width


@click.command(cls=_Show)
@click.argument("where", metavar="FILE|WHERE", shell_complete=completion.complete_where)
@click.argument("uid", required=False)
@click.option("--json", "form", flag_value="json", help="one line of JSON with keywords, as in a pipe")
@click.option("--dicom-json", "form", flag_value="dicom-json", help="one line of the DICOM JSON model (PS3.18 Annex F)")
@click.option("--text", "form", flag_value="text", help="the text for a person also in a pipe")
@click.option("--fields", metavar="LIST", help="only these attributes: keywords or tags, with commas between them")
@click.option("--full", is_flag=True, help="values whole, however long they are")
@click.option("--image", type=click.Choice(_PICTURES), metavar="[=WAY]", help="its picture: " + ", ".join(_PICTURES))
@click.option("--frame", default=1, type=click.IntRange(1), help="which frame, with --image", show_default=True)
@click.option("--window", callback=_parse_window, metavar="CENTER,WIDTH", help="between black and white, with --image")
@options.calling
@options.reading
def show(
    where: str,
    uid: str | None,
    *,
    form: str | None,
    fields: str | None,
    full: bool,
    image: str | None,
    frame: int,
    window: tuple[float, float] | None,
    token_file: Path | None,
    config_file: Path | None,
) -> int:
    """Show what a FILE says, or the instance UID of WHERE: a folder, an address, the name of a remote.

    Private attributes come with their creator, large values with their size. Of a series or study whose UID is given it
    is the first instance. In a pipe it is a line of JSON.

    For example,

    \b
    dicomgate show scan.dcm
    dicomgate show scan.dcm --image
    dicomgate show pacs 1.2.840.113619.2.5.1762583153.215519.978957063.78
    dicomgate show scan.dcm | jq .PatientName
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    settings = options.settings(config_file)
    tags = _parse_fields(fields) if fields else None
    with _opened(where, uid, settings, token_file) as found:
        if image is not None:
            return _paint(found, image, frame, window)
        _print(found, tags, form or _usual_form(), whole=full)
    return main.DONE


@contextmanager
def _opened(where: str, uid: str | None, settings: Settings, token_file: Path | None) -> Iterator[Shown]:
    """A file on its own, or an instance of a place."""
    from dicomgate.cli import shown

    if uid is None and Path(where).is_file():
        yield shown.read_file(Path(where), settings.limits.bounds())
        return
    from dicomgate.cli import places

    with places.opened(where, settings, token_file) as place:
        if uid is None:
            raise click.UsageError('say which instance: its UID, as "dicomgate find" tells it')
        yield shown.read_place(place, uid)


def _usual_form() -> str:
    from dicomgate.cli import output

    return "text" if output.is_terminal() else "json"


def _parse_fields(text: str) -> list[str]:
    from dicomgate.dicom import attributes

    tags = []
    for word in filter(None, map(str.strip, text.split(","))):
        path = attributes.parse_path(word, in_any_case=True)
        if path is None or len(path) > 1:
            raise click.UsageError("--fields: expected keywords of PS3.6 or 8 hex digits, with commas between them")
        tags.append(path[0])
    return tags


def _only(dataset: JSONDataset, tags: list[str] | None) -> JSONDataset:
    return dataset if tags is None else {tag: dataset[tag] for tag in dict.fromkeys(tags) if tag in dataset}


def _print(found: Shown, tags: list[str] | None, form: str, *, whole: bool) -> None:
    from dicomgate.cli import dataset_keywords, output

    if form == "dicom-json":
        output.line(_only(found.attributes, tags))
    elif form == "json":
        output.line(dataset_keywords.describe(_only({**found.meta, **found.attributes}, tags)))
    else:
        _print_text(found, tags, whole=whole)


def _print_text(found: Shown, tags: list[str] | None, *, whole: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    from dicomgate.cli import dataset_text

    dataset = {tag: element for tag, element in {**found.meta, **found.attributes, **found.stated}.items() if element}
    lines = list(dataset_text.describe(_only(dataset, tags), found.sizes))
    console = Console(markup=False, highlight=False, emoji=False)
    widths = dataset_text.measure(lines, console.width, whole=whole)
    for line in lines:
        head, name, value, note = dataset_text.format_line(line, widths)
        text = Text.assemble((head, "dim"), (name, "bold"), value, (note, "dim"))
        text.rstrip()
        console.print(text, soft_wrap=True)


def _paint(found: Shown, way: str, frame: int, window: tuple[float, float] | None) -> int:
    from dicomgate.cli import output, painting, terminal
    from dicomgate.dicom.presentation import Window

    if way == "auto" and not output.is_terminal():
        raise click.UsageError("--image: no terminal to show it in; say which way: --image=half")
    graphics = terminal.detect() if way == "auto" else terminal.Graphics(way)
    for text in painting.paint(found, graphics, frame, Window(*window) if window else None):
        sys.stdout.write(text)
    sys.stdout.flush()
    return main.DONE
