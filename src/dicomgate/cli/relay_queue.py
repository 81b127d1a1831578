"""`dicomgate relay queue`: what a relay holds, for whom and why; what lies on the shelf is sent again or given up."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dicomgate.cli import main, options, output

if TYPE_CHECKING:
    from dicomgate.index.errands import Discarded, Errand, Progress
    from dicomgate.index.waiting import Waiting


@click.group(invoke_without_command=True)
@click.option("--each", is_flag=True, help="each instance that waits or lies on the shelf, and why")
@click.option("--shelf", is_flag=True, help="each instance on the shelf, and why")
@click.option("--discarded", is_flag=True, help="each instance that was given up, and why")
@options.reading
@click.pass_context
def queue(context: click.Context, *, each: bool, shelf: bool, discarded: bool, config_file: Path | None) -> int | None:
    """Show what the relay holds: how much waits for each destination, since when, and why.

    A table on a terminal, JSON Lines in a pipe; nothing of a patient. The relay may run meanwhile, or not.

    For example,

    \b
    dicomgate relay queue
    dicomgate relay queue --shelf
    dicomgate relay queue retry 17
    dicomgate relay queue discard 17 --reason "no image: test of the modality"
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    if context.invoked_subcommand is not None:
        if config_file is not None or each or shelf or discarded:
            raise click.UsageError(f"say options behind {context.invoked_subcommand}")
        return None
    from dicomgate import assembly

    settings = options.settings(config_file)
    now = time.time()
    with assembly.open_waiting(settings) as waiting:
        if discarded:
            facts = [_given_up(one) for one in waiting.discarded()]
        elif each or shelf:
            facts = [_held(one, now) for one in _errands(waiting, shelf_alone=shelf)]
        else:
            forwarded = assembly.find_forwarded(settings)
            facts = [_standing(each, forwarded, now) for each in _progress(waiting, forwarded or settings.destinations)]
    _show(facts)
    if not facts:
        output.message("nothing is held")
    return main.DONE


@queue.command()
@click.argument("numbers", nargs=-1, type=int, metavar="NUMBER...")
@click.option("--destination", metavar="NAME", help="for this destination alone")
@click.option("--all", "every", is_flag=True, help="everything on the shelf, and whatever pauses")
@options.reading
def retry(numbers: tuple[int, ...], *, destination: str | None, every: bool, config_file: Path | None) -> int:
    """Send again at once, by the NUMBER that --each and --shelf show: from the shelf, or before a pause is over.

    Exit code 4 when nothing of these is held.

    For example,

    \b
    dicomgate relay queue retry 17 18
    dicomgate relay queue retry --all
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    if bool(numbers) == every:
        raise click.UsageError("say which: the NUMBER of each, or --all")
    from dicomgate import assembly

    with assembly.open_waiting(options.settings(config_file)) as waiting:
        wanted = _wanted(waiting, numbers, destination)
        count = waiting.again(wanted)
    output.message(f"to be sent again: {output.count(count, 'instance', 'instances')}")
    return main.DONE if count else main.NOTHING


@queue.command()
@click.argument("numbers", nargs=-1, type=int, required=True, metavar="NUMBER...")
@click.option("--destination", metavar="NAME", help="for this destination alone")
@click.option("--reason", required=True, metavar="TEXT", help="why it need not be sent; kept, and shown by --discarded")
@options.reading
def discard(numbers: tuple[int, ...], *, destination: str | None, reason: str, config_file: Path | None) -> int:
    """Give up what is held, by the NUMBER that --each and --shelf show: it is never sent. What, and why, stays known.

    Exit code 4 when nothing of these is held.

    For example,

    \b
    dicomgate relay queue discard 17 --reason "no image: test of the modality"
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    if not reason.strip():
        raise click.UsageError("--reason: say why it need not be sent")
    from dicomgate import assembly

    settings = options.settings(config_file)
    with assembly.open_waiting(settings) as waiting:
        count = waiting.discard(_wanted(waiting, numbers, destination), reason.strip())
        assembly.clear_garbage(settings, waiting)
    output.message(f"given up: {output.count(count, 'instance', 'instances')}")
    return main.DONE if count else main.NOTHING


def _show(facts: list[dict[str, Any]]) -> None:
    if not output.is_terminal():
        for one in facts:
            output.line(one)
    elif facts:
        names = [name for name in facts[0] if name != "failing_since"]
        rows = (["" if one[name] is None else str(one[name]) for name in names] for one in facts)
        output.table([name.replace("_", " ").upper() for name in names], rows)


def _wanted(waiting: Waiting, numbers: tuple[int, ...], destination: str | None) -> list[tuple[str, int]]:
    """Destinations and numbers; without numbers everything."""
    names = [destination] if destination is not None else waiting.destinations()
    if numbers:
        return [(name, number) for name in names for number in numbers]
    return [
        (name, errand.held.number)
        for name in names
        for is_shelved in (True, False)
        for errand in waiting.errands(name, is_shelved=is_shelved)
    ]


def _errands(waiting: Waiting, *, shelf_alone: bool) -> Iterator[Errand]:
    for name in waiting.destinations():
        for is_shelved in (True,) if shelf_alone else (True, False):
            yield from waiting.errands(name, is_shelved=is_shelved)


def _progress(waiting: Waiting, known: Iterable[str]) -> Iterator[Progress]:
    for name in sorted({*known, *waiting.destinations()}):
        yield waiting.progress(name)


def _standing(progress: Progress, forwarded: list[str] | None, now: float) -> dict[str, Any]:
    why = progress.why
    if forwarded is None:
        state, why = "stopped", why or "no relay runs"
    elif progress.destination not in forwarded:
        state, why = "not sent", why or "the relay that runs does not send there"
    elif progress.failing_since is not None:
        state = "failing"
    else:
        state = "sending" if progress.waiting else "idle"
    return {
        "destination": progress.destination,
        "state": state,
        "waiting": progress.waiting,
        "bytes": progress.waiting_bytes,
        "oldest": _moment(progress.oldest),
        "shelf": progress.shelved,
        "delivered": progress.delivered,
        "failing_since": _moment(progress.failing_since),
        "next_try": _moment(progress.next_try if (progress.next_try or 0.0) > now else None),
        "why": why,
    }


def _held(errand: Errand, now: float) -> dict[str, Any]:
    held = errand.held
    return {
        "number": held.number,
        "destination": errand.destination,
        "state": "shelf" if errand.is_shelved else "waiting",
        "received": _moment(held.received),
        "from": held.caller,
        "instance": held.target.instance,
        "bytes": held.size,
        "tries": errand.tries,
        "next_try": None if errand.is_shelved or errand.due <= now else _moment(errand.due),
        "code": None if errand.code is None else f"{errand.code:04X}",
        "why": errand.why,
    }


def _given_up(one: Discarded) -> dict[str, Any]:
    return {
        "number": one.number,
        "destination": one.destination,
        "discarded": _moment(one.moment),
        "instance": one.target.instance,
        "bytes": one.size,
        "why": one.why,
        "reason": one.reason,
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
