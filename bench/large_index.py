"""`python -m bench.large_index`: an index of a million instances: whether questions and stores get slower as it grows.

The index is filled straight through its own room, then instances come through STOW-RS. Every question stands beside the
SQL that somebody would write by hand for it, asked in turns; stores into the full archive take turns with stores into
an empty one.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import caller, catalogue, population, processes, questions, report, store
from bench.asking import Times, ask_index, ask_server
from bench.caller import Caller
from bench.population import Study
from dicomgate import assembly, config
from dicomgate.archive.archive import Archive

STEPS: Final = (10_000, 100_000, 1_000_000)
_GROUP: Final = 250
_OF_REQUEST: Final = 50
_CONNECTIONS: Final = 2
_TOLD: Final = 100_000


@dataclass(slots=True)
class Seen:
    """All that was measured."""

    instances: list[int] = field(default_factory=list)
    studies: list[int] = field(default_factory=list)
    index_rate: list[float] = field(default_factory=list)  # instances a second, through the index alone
    store_rate: list[tuple[float, float]] = field(default_factory=list)  # full, and empty beside it
    store_ratio: list[float] = field(default_factory=list)
    size: list[int] = field(default_factory=list)  # bytes of the index
    asked: dict[str, list[Times]] = field(default_factory=dict)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.large_index", description=__doc__)
    parser.add_argument("--instances", type=int, default=1_000_000, help="how large the index gets (default 1 000 000)")
    parser.add_argument("--stored", type=int, help="how many more through STOW-RS (default a twentieth)")
    parser.add_argument("--samples", type=int, default=100, help="how often each question is asked (default 100)")
    parser.add_argument("--write", action="store_true", help="put the tables into bench/README.md")
    parser.add_argument("--scratch", type=Path, help="a folder on the disk to be measured (default: the temporary one)")
    said = parser.parse_args()
    sizes = sorted({*(size for size in STEPS if size < said.instances), said.instances})
    folder = Path(tempfile.mkdtemp(prefix="dicomgate-bench-", dir=said.scratch))
    try:
        seen = measure(folder, sizes, said.stored or said.instances // 20, said.samples)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = format_tables(seen)
    print(text)
    if said.write:
        report.write_section("large index", text)


def measure(scratch: Path, sizes: Sequence[int], stored: int, samples: int) -> Seen:
    """Fill, ask and store, size by size."""
    seen, began = Seen(), time.monotonic()
    every: list[Study] = []
    waiting = population.studies(sizes[-1])
    full = scratch / "archive"
    with caller.started() as client:
        for size in sizes:
            with assembly.open_archive(full, config.read(environment={}, directory=scratch)) as archive:
                archive.index.promote(questions.PROMOTED)
                _fill(archive, waiting, every, size, seen)
            seen.instances.append(size)
            seen.studies.append(len(every))
            seen.size.append((full / assembly.INDEX).stat().st_size)
            report.say(f"{time.monotonic() - began:5.0f} s  {size:,} instances in {len(every):,} studies are there")
            _ask(full, every, samples, seen)
            report.say(f"{time.monotonic() - began:5.0f} s  the questions are answered")
            _store(client, scratch, full, stored if size == sizes[-1] else min(stored, 5_000), seen)
            report.say(
                f"{time.monotonic() - began:5.0f} s  stores: {seen.store_ratio[-1]:.2f} of the empty archive's rate"
            )
    return seen


def _fill(archive: Archive, waiting: Iterator[Study], every: list[Study], size: int, seen: Seen) -> None:
    """Add studies until there are so many instances."""
    count = sum(sum(study.lengths) for study in every)
    group = []
    added, spent = 0, 0.0
    while count < size and (study := next(waiting, None)) is not None:
        every.append(study)
        for entry in population.entries(study):
            group.append(entry)
            count += 1
            if len(group) == _GROUP or count == size:
                before = time.perf_counter()
                archive.index.add_many(group, catalogue.JUDGE)
                spent += time.perf_counter() - before
                added += len(group)
                group = []
            if count % _TOLD == 0:
                report.say(f"        {count:,} instances")
    if group:
        archive.index.add_many(group, catalogue.JUDGE)
    seen.index_rate.append(added / spent)


def _ask(full: Path, every: Sequence[Study], samples: int, seen: Seen) -> None:
    settings = config.read(environment={}, directory=full.parent)
    with (
        processes.dicomgate(full) as server,
        assembly.open_archive(full, settings) as archive,
        closing(sqlite3.connect(full / assembly.INDEX)) as connection,
    ):
        gc.collect()
        gc.freeze()  # what the questions are made from is a heap that no server has, and takes long to look through
        for question in questions.QUESTIONS:
            times = ask_index(archive.index, connection, question, every, samples)
            times.over_http, times.server = ask_server(server, question, every, samples)
            seen.asked.setdefault(question.name, []).append(times)


def _store(client: Caller, scratch: Path, full: Path, count: int, seen: Seen) -> None:
    """Into the full archive and into a new one in turns; the rates of all turns, and the median of the ratios."""
    turns = 5
    requests = max(1, count // turns // _OF_REQUEST)
    number = 500_000 + 100_000 * len(seen.store_rate)
    rates: list[tuple[float, float]] = []
    with processes.dicomgate(full) as server:
        for turn in range(turns + 1):
            few = requests if turn else max(1, requests // 10)  # the first turn warms up
            body = _bodies(scratch / "bodies", number + turn * 10_000, few)
            ours = client.call(server, body, few, _CONNECTIONS)
            with processes.dicomgate(scratch / f"empty-{number}-{turn}") as fresh:
                client.call(fresh, _bodies(scratch / "first", 400_000 + turn, 1), 1, 1)
                other = client.call(fresh, body, few, _CONNECTIONS)
            if turn:
                rates.append((few * _OF_REQUEST / ours.wall, few * _OF_REQUEST / other.wall))
    seen.store_rate.append((statistics.median(rate for rate, _ in rates), statistics.median(rate for _, rate in rates)))
    seen.store_ratio.append(statistics.median(ours / other for ours, other in rates))


def _bodies(file: Path, first: int, count: int) -> caller.Requests:
    spans = []
    with file.open("wb") as out:
        for study in range(first, first + count):
            start = out.tell()
            out.writelines(store.body(list(population.files(study, _OF_REQUEST))))
            spans.append((start, out.tell() - start))
    return store.post(file, spans)


def format_tables(seen: Seen) -> str:
    """What was seen, as Markdown."""
    sizes = [f"{size:,}" for size in seen.instances]
    lines = ["| | " + " | ".join(f"{size} instances" for size in sizes) + " |", "| --- |" + " --- |" * len(sizes)]
    facts = (
        ("studies", [f"{count:,}" for count in seen.studies]),
        ("index, MB", [f"{size / 1e6:,.0f}" for size in seen.size]),
        ("bytes an instance", [f"{size / count:,.0f}" for size, count in zip(seen.size, seen.instances, strict=True)]),
        (f"written by the index alone, {_GROUP} at a time, a second", [f"{rate:,.0f}" for rate in seen.index_rate]),
        (
            f"stored by STOW-RS, {_OF_REQUEST} to a request, a second (into an empty archive beside it)",
            [f"{ours:,.0f} ({other:,.0f})" for ours, other in seen.store_rate],
        ),
        ("store rate to that of the empty archive (goal at least 0.8)", [f"{one:.2f}" for one in seen.store_ratio]),
    )
    lines += [f"| {words} | " + " | ".join(values) + " |" for words, values in facts]
    return "\n".join(lines) + "\n\n" + _questions_table(seen, sizes)


def _questions_table(seen: Seen, sizes: Sequence[str]) -> str:
    first, last = sizes[0], sizes[-1]
    heads = (
        "question",
        *(f"over HTTP at {size}" for size in sizes),
        *(f"server's CPU at {size}" for size in (first, last)),
        "its p95 to the first (goal 2)",
        "index alone, CPU",
        "SQL alone, CPU",
        "p95, index to SQL (goal 5)",
        "goals met?",
    )
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    for question in questions.QUESTIONS:
        times = seen.asked[question.name]
        least, most = times[0], times[-1]
        growth, ratio = most.server.p95 / least.server.p95, most.ours.p95 / most.bare.p95
        met = "yes" if growth <= 2 and ratio <= 5 else "**no**"
        cells = (
            question.name,
            *(f"{one.over_http}" for one in times),
            f"{least.server}",
            f"{most.server}",
            f"{growth:.2f}",
            f"{most.ours}",
            f"{most.bare}",
            f"{ratio:.1f}",
            met if question.is_indexed else "",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
