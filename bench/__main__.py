"""`python -m bench`: measure, print the table, keep the results."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bench import (
    caller,
    client,
    convert,
    header,
    index,
    memory,
    pictures,
    processes,
    report,
    retrieve,
    scale,
    search,
    slide,
    store,
)
from bench.measure import Comparison, Figure
from bench.scale import Bench

GROUPS: Final[dict[str, Callable[[Bench], Iterator[Figure]]]] = {
    "memory": memory.figures,
    "header": header.figures,
    "store": store.figures,
    "retrieve": retrieve.figures,
    "slide": slide.figures,
    "pictures": pictures.figures,
    "index": index.figures,
    "search": search.figures,
    "convert": convert.figures,
    "client": client.figures,
}


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="What dicomgate costs, beside raw limits.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"only these: {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true", help="under a minute; enough to see where the figures lie")
    parser.add_argument("--write", action="store_true", help="put the table into bench/README.md")
    parser.add_argument("--scratch", type=Path, help="a folder on the disk to be measured (default: the temporary one)")
    said = parser.parse_args()
    unknown = set(said.groups) - set(GROUPS)
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    chosen = scale.QUICK if said.quick else scale.FULL
    figures = measure_all(chosen, said.groups or list(GROUPS), said.scratch)
    around = report.surroundings(chosen)
    print(f"{report.format_surroundings(around)}\n\n{report.format_table(figures)}")
    report.say(f"kept in {report.write_json(figures, around).relative_to(report.FOLDER.parent)}")
    if said.write:
        report.write_page(figures, around)


def measure_all(chosen: scale.Scale, groups: list[str], scratch: Path | None) -> list[Figure]:
    """The figures of these groups, each told as soon as it is known."""
    folder = Path(tempfile.mkdtemp(prefix="dicomgate-bench-", dir=scratch))
    has_nginx = processes.find_nginx() is not None
    if not has_nginx:
        report.say("nginx is not installed: what is compared with it is left out")
    figures: list[Figure] = []
    began = time.monotonic()
    try:
        with caller.started() as client:
            bench = Bench(scale=chosen, scratch=folder, caller=client, has_nginx=has_nginx)
            for group in groups:
                for figure in GROUPS[group](bench):
                    figures.append(figure)
                    _tell(figure, time.monotonic() - began)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return figures


def _tell(figure: Figure, seconds: float) -> None:
    if isinstance(figure, Comparison):
        result = f"{figure.cpu} CPU, {figure.wall} wall"
    else:
        result = f"{figure.ours:.1f} {figure.unit}"
    report.say(f"{seconds:5.0f} s  {figure.group}: {figure.operation}: {result}")


if __name__ == "__main__":
    main()
