"""The figures as a table for people and as JSON for comparing runs."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import os
import platform
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench import measure, processes
from bench.measure import Amount, Comparison, Figure
from bench.scale import Scale

FOLDER = Path(__file__).parent
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"
_PACKAGES = ("dicomgate", "uvicorn", "uvloop", "httptools", "orjson", "zstandard", "xxhash", "pydicom")
_HEADS = ("operation", "ours", "raw limit", "ratio CPU", "ratio wall", "target", "met?")


def surroundings(scale: Scale) -> dict[str, str]:
    """What the figures belong to: the machine, the versions, the day."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.machine()}"
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    return {
        "run": f"{scale.name}, {dt.datetime.now(dt.UTC):%Y-%m-%d}, {scale.turns} turns each",
        "machine": f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GB, {system}",
        "Python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}, nginx {_nginx_version()}",
        "packages": ", ".join(versions),
    }


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _nginx_version() -> str:
    program = processes.find_nginx()
    if program is None:
        return "not found"
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stderr
    return said.strip().rpartition("/")[2]


def format_table(figures: Iterable[Figure]) -> str:
    """All figures as one Markdown table."""
    rows = [_comparison(figure) if isinstance(figure, Comparison) else _amount(figure) for figure in figures]
    lines = [_HEADS, ("---",) * len(_HEADS), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _comparison(figure: Comparison) -> tuple[str, ...]:
    ours, raw = measure.median(figure.ours), measure.median(figure.raw)
    return (
        f"{figure.group}: {figure.operation}",
        f"{_seconds(ours.cpu)} CPU, {_seconds(ours.wall)} wall",
        f"{figure.limit}: {_seconds(raw.cpu)} CPU, {_seconds(raw.wall)} wall",
        str(figure.cpu),
        str(figure.wall),
        str(figure.target),
        _met(figure.is_met),
    )


def _amount(figure: Amount) -> tuple[str, ...]:
    raw = f"{figure.limit}: {figure.raw:.1f} {figure.unit}" if figure.raw is not None else figure.limit
    ratio = f"{figure.ours / figure.raw:.2f}" if figure.raw else ""
    words = f"{figure.group}: {figure.operation}" + (f" ({figure.note})" if figure.note else "")
    return (words, f"{figure.ours:.1f} {figure.unit}", raw, ratio, "", figure.target, _met(figure.is_met))


def _seconds(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} us"


def _met(is_met: bool | None) -> str:
    return {None: "", True: "yes", False: "**no**"}[is_met]


def format_surroundings(said: dict[str, str]) -> str:
    """As a list."""
    return "\n".join(f"- {name}: {text}" for name, text in said.items())


def write_json(figures: Sequence[Figure], said: dict[str, str]) -> Path:
    """Keep everything that was measured, turn by turn."""
    folder = FOLDER / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps({"surroundings": said, "figures": [_as_json(figure) for figure in figures]}, indent=1))
    return path


def _as_json(figure: Figure) -> dict[str, Any]:
    if isinstance(figure, Amount):
        return {"operation": f"{figure.group}: {figure.operation}", "ours": figure.ours, "raw": figure.raw}
    return {
        "operation": f"{figure.group}: {figure.operation}",
        "limit": figure.limit,
        "target": str(figure.target),
        "is_met": figure.is_met,
        "cpu": figure.cpu.median,
        "wall": figure.wall.median,
        "ours": [[cost.cpu, cost.wall, cost.client] for cost in figure.ours],
        "raw": [[cost.cpu, cost.wall, cost.client] for cost in figure.raw],
    }


def write_page(figures: Sequence[Figure], said: dict[str, str]) -> None:
    """Put the table into README.md, between its marks."""
    path = FOLDER / "README.md"
    before, _, rest = path.read_text("utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    assert after, "the marks are in the page"
    text = f"{format_surroundings(said)}\n\n{format_table(figures)}"
    path.write_text(f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after}", "utf-8")


def write_section(name: str, text: str) -> None:
    """Put a text into README.md, between the marks of its name."""
    path = FOLDER / "README.md"
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = path.read_text("utf-8").partition(begin)
    after = rest.partition(end)[2]
    assert after, "the marks are in the page"
    path.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", "utf-8")


def say(text: str) -> None:
    """Tell how far it is, beside the table."""
    print(text, file=sys.stderr, flush=True)
