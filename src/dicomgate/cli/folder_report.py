"""How far the reading of a folder is: a bar while files are read, a line when all are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from dicomgate import assembly
from dicomgate.archive.folder import Progress
from dicomgate.cli import output
from dicomgate.config import Settings
from dicomgate.index.base import FileState


@contextmanager
def bar() -> Iterator[Callable[[Progress], None]]:
    """A bar on standard error that follows what it is told, if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("files", total=None)

        def report(progress: Progress) -> None:
            shown.update(task, total=progress.waiting, completed=progress.read)

        yield report


class FolderReport:
    """Hears of every scan while a folder is served. Called by one thread."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._stack = ExitStack()
        self._bar: Callable[[Progress], None] | None = None
        self._has_told = False
        self._trouble = ""

    def __call__(self, progress: Progress) -> None:
        """A scan goes on or is finished."""
        if progress.trouble != self._trouble:
            self._trouble = progress.trouble
            if progress.trouble:
                output.message(f"  {self._folder} cannot be followed for now: {progress.trouble}")
        if progress.waiting and self._bar is None:
            self._bar = self._stack.enter_context(bar())
        if self._bar is not None:
            self._bar(progress)
        if progress.finished:
            self._stack.close()
            self._bar = None
            self._tell(progress)

    def _tell(self, progress: Progress) -> None:
        if not self._is_news(progress):
            return
        with assembly.open_folder(self._folder, self._settings) as opened:
            counts = opened.counts()
            states = Counter(record.state for record in opened.problems())
        output.message(
            f"  {output.count(progress.files, 'file', 'files')}: "
            f"{output.count(counts.instances, 'instance', 'instances')}, {counts.series:,} series, "
            f"{output.count(counts.studies, 'study', 'studies')}"
        )
        words = {
            FileState.FOREIGN: ("not DICOM",) * 2,
            FileState.UNREADABLE: ("unreadable",) * 2,
            FileState.DUPLICATE: ("second copy", "second copies"),
        }
        told = [output.count(states[state], *word) for state, word in words.items() if states[state]]
        if told:
            output.message(f"  {', '.join(told)}: dicomgate serve {self._folder} --problems")

    def _is_news(self, progress: Progress) -> bool:
        """The first scan always is, a later one if it found something."""
        is_first, self._has_told = not self._has_told, True
        return is_first or progress.waiting > 0
