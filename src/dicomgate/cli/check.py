"""`dicomgate check URL`: any DICOMweb server is probed against PS3.18, and against what clients need."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicomgate.cli import completion, main, options

if TYPE_CHECKING:
    from dicomgate.client.probing import Asker, Finding, Probe
    from dicomgate.client.subjects import Subject
    from dicomgate.config import Remote

_QUESTION = "Store {count} small instances on {root} to probe it with, and delete them afterwards?"


@click.command()
@click.argument("url", shell_complete=completion.complete_where)
@click.option(
    "--store/--read-only", "stores", default=None, help="store instances of its own, or only look at what is there"
)
@click.option("--item", "items", multiple=True, metavar="NAME", help="only these items, as QIDO-16 or V; repeatable")
@click.option("--wado", metavar="URL", help="where WADO-URI is answered, if not at URL itself")
@click.option("--timeout", default=20.0, type=click.FloatRange(0.1, 600), show_default=True, help="seconds for a probe")
@click.option("--markdown", is_flag=True, help="the report as a page of Markdown")
@click.option("--strict", is_flag=True, help="exit code 3 for every SHOULD that is not met, too")
@click.option("--list", "lists", is_flag=True, help="show what would be probed, and ask nothing")
@options.calling
@options.reading
def check(
    url: str, *, stores: bool | None, items: tuple[str, ...], wado: str | None, token_file: Path | None,
    timeout: float, markdown: bool, strict: bool, lists: bool, config_file: Path | None,
) -> int:  # fmt: skip
    """Probe a DICOMweb server against the standard, and against what viewers ask for.

    URL is an address, or the name of a remote in the settings. Nothing is stored unless you say so; what was stored is
    deleted again where the server offers that. On a terminal the report is a table, in a pipe JSON Lines. Exit code 3
    when something fails that the standard demands.

    For example,

    \b
    dicomgate check https://server.example/dicomweb
    dicomgate check http://127.0.0.1:8104/dicomweb --store --wado http://127.0.0.1:8104/wado
    dicomgate check lab --read-only --item QIDO | jq -c 'select(.result != "ok")'
    """  # noqa: D301 (the backspace is click's sign for lines to be kept)
    from dicomgate.cli import places
    from dicomgate.client import check as checking
    from dicomgate.client.probing import Asker

    probes = checking.chosen(items)
    if not probes:
        raise click.BadParameter("no probe has such an item; --list shows all", param_hint="--item")
    if lists:
        _show_probes(probes)
        return main.DONE
    remote = _find_server(url, token_file, config_file)
    with Asker(remote.url, identity=places.identify(remote), seconds=timeout) as asker:
        subject = _subject(asker, _may_store(remote.url, stores))
        subject.wado = wado or ""
        try:
            findings = _gather(subject, probes)
        finally:
            left = _delete(subject)
    _show(remote.url, findings, left, is_markdown=markdown)
    return _exit_code(findings, is_strict=strict)


def _find_server(url: str, token_file: Path | None, config_file: Path | None) -> Remote:
    """The server that is named."""
    from dicomgate.cli import places

    remote = places.find_remote(url, options.settings(config_file), token_file)
    if remote is None or not remote.url.startswith(("http://", "https://")):
        raise click.BadParameter("expected an address like http://host:8104/dicomweb, or a remote's name")
    return remote


def _may_store(url: str, stores: bool | None) -> bool:
    """What was said; on a terminal, where nothing was said, what the person answers."""
    from dicomgate.cli import output
    from dicomgate.samples import check_files

    if stores is not None:
        return stores
    if not (output.is_terminal() and sys.stdin.isatty()):
        return False
    count = sum(1 for _ in check_files.make("0"))
    return click.confirm(_QUESTION.format(count=count, root=url), default=False, err=True)


def _subject(asker: Asker, stores: bool) -> Subject:
    from dicomgate.client import check as checking
    from dicomgate.samples import check_files

    return checking.store(asker, check_files.make(secrets.token_hex(4))) if stores else checking.find(asker)


def _gather(subject: Subject, probes: list[Probe]) -> list[Finding]:
    from dicomgate.cli import output
    from dicomgate.client import check as checking

    findings = []
    with output.progress("Probing", len(probes)) as step:
        for finding in checking.run(subject, probes):
            findings.append(finding)
            step()
    return findings


def _delete(subject: Subject) -> list[str]:
    from dicomgate.client import check as checking

    return checking.delete(subject) if subject.is_own else []


def _exit_code(findings: list[Finding], *, is_strict: bool) -> int:
    from dicomgate.client.probing import Verdict

    counted = {Verdict.FAILED, Verdict.ADVICE} if is_strict else {Verdict.FAILED}
    return main.PARTLY if any(finding.verdict in counted for finding in findings) else main.DONE


# How it is shown


def _show(url: str, findings: list[Finding], left: list[str], *, is_markdown: bool) -> None:
    from dicomgate.cli import output

    if is_markdown:
        for line in _markdown(url, findings):
            click.echo(line)
    elif output.is_terminal():
        output.table(("ITEM", "", "RESULT", "ASKED", "EXPECTED", "SEEN"), _cells(findings))
    else:
        for finding in findings:
            output.line(_facts(finding))
    output.message(_summary(findings))
    if left:
        output.message(f"not deleted again, for the server does not do it: {len(left)} studies, {left[0]} first")


def _cells(findings: Iterable[Finding]) -> Iterator[tuple[str, ...]]:
    for finding in findings:
        probe = finding.probe
        yield probe.item, probe.severity.value, finding.verdict.value, probe.asks, probe.expects, finding.saw


def _facts(finding: Finding) -> dict[str, str | float]:
    probe = finding.probe
    return {
        "item": probe.item,
        "severity": probe.severity.value,
        "result": finding.verdict.value,
        "asked": probe.asks,
        "expected": probe.expects,
        "seen": finding.saw,
        "seconds": round(finding.seconds, 3),
    }


def _markdown(url: str, findings: list[Finding]) -> Iterator[str]:
    yield from (f"# {_cell(url)}", "", _summary(findings), "")
    yield from ("| Item | | Result | Asked | Expected | Seen |", "| --- | --- | --- | --- | --- | --- |")
    for cells in _cells(findings):
        yield "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    """No character of a server's answer ends a cell, a line or a page."""
    from dicomgate.cli import output

    return output.plain(text).replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def _summary(findings: list[Finding]) -> str:
    from dicomgate.client import check as checking

    counted = checking.counts(findings)
    return f"{len(findings)} probes: " + ", ".join(f"{number} {verdict.value}" for verdict, number in counted.items())


def _show_probes(probes: list[Probe]) -> None:
    from dicomgate.cli import output

    if output.is_terminal():
        cells = ((probe.item, probe.severity.value, probe.asks, probe.expects) for probe in probes)
        output.table(("ITEM", "", "ASKED", "EXPECTED"), cells)
        return
    for probe in probes:
        output.line(
            {"item": probe.item, "severity": probe.severity.value, "asked": probe.asks, "expected": probe.expects}
        )
