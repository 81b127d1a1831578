"""Runs deeds on a data folder in child processes that are killed at a chosen step; a program of its own.

    python crash_steps.py DATA DUPLICATES keep|drop

A step is a call that changes what is on the disk: the blob store's disk, the index's changes, the file calls of the
standard library's that the archive and the assembly make. Reads JSON lines `{"deeds": [...], "kill_at": n}` from
standard input; for each, a fork does the deeds and is killed before step n (not at all for null). Answers one line:
what the child told after each deed, and how many steps it came to.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dicomgate import assembly, config, errors
from dicomgate.archive.aside import Aside
from dicomgate.blobs.disk import Disk
from dicomgate.dicom.outcomes import Refused
from dicomgate.dicom.uids import Target
from dicomgate.index.sqlite import SqliteIndex

DISK = ("open", "write")
INDEX = ("add", "remove", "forget_garbage", "add_many", "exchange")
CALLS = ("rename", "replace", "link", "unlink", "mkdir", "rmdir", "fsync", "ftruncate")


class Steps:
    """Counts the steps, and dies before one of them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.kill_at: int | None = None

    def watch(self, owner: Any, names: tuple[str, ...]) -> None:
        for name in names:
            setattr(owner, name, self._watched(f"{owner.__name__}.{name}", getattr(owner, name)))

    def _watched(self, label: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            self._step(label)
            done = call(*arguments, **named)
            if label.startswith(SqliteIndex.__name__):
                self._step(f"{label} done")
            return done

        return watched

    def _step(self, label: str) -> None:
        if len(self.names) == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.names.append(label)


def main() -> None:
    data, settings = Path(sys.argv[1]), _settings(sys.argv[2], keeps=sys.argv[3] == "keep")
    steps = Steps()
    steps.watch(Disk, DISK)
    steps.watch(SqliteIndex, INDEX)
    steps.watch(Aside, ("keep",))
    steps.watch(os, CALLS)
    for line in sys.stdin:
        asked = json.loads(line)
        steps.kill_at = asked["kill_at"]
        print(json.dumps(_in_child(data, settings, steps, asked["deeds"])), flush=True)


def _settings(duplicates: str, *, keeps: bool) -> config.Settings:
    options = {"store.allow_delete": True, "store.duplicates": duplicates, "store.keep_originals": keeps}
    return config.read(file=None, environment={}, options=options)


def _in_child(data: Path, settings: config.Settings, steps: Steps, deeds: list[dict[str, Any]]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            with os.fdopen(writing, "w", buffering=1) as told:
                _do(data, settings, deeds, lambda fact: told.write(json.dumps(fact) + "\n"))
                told.write(json.dumps({"steps": steps.names}) + "\n")
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as told:
        facts = [json.loads(line) for line in told if line.endswith("\n")]
    _, status = os.waitpid(child, 0)
    ended = facts.pop()["steps"] if facts and "steps" in facts[-1] else None
    return {"facts": facts, "steps": ended, "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
            "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None}  # fmt: skip


def _do(
    data: Path, settings: config.Settings, deeds: list[dict[str, Any]], tell: Callable[[dict[str, Any]], object]
) -> None:
    if deeds and deeds[0]["do"] == "reindex":
        damages = list(assembly.rebuild(data, settings, lambda size: None))
        tell({"damages": [damage.problem for damage in damages]})
        return
    with assembly.open_archive(data, settings) as archive:
        if any(deed["do"] == "sweep" for deed in deeds):
            archive.sweep()
            tell({"swept": True})
        origin = archive.origin
        assert origin.store is not None
        assert origin.delete is not None
        for deed in deeds:
            if deed["do"] == "store":
                arrival = archive.spool.arrival()
                arrival.write(base64.b64decode(deed["content"]))
                outcome = origin.store.accept(arrival)
                arrival.discard()
                tell({"stored": not isinstance(outcome, Refused)})
            elif deed["do"] == "correct":
                done = archive.corrector.update(deed["study"], {"00100020": {"vr": "LO", "Value": [deed["patient"]]}})
                tell({"corrected": done.corrected})
            elif deed["do"] == "delete":
                try:
                    tell({"deleted": origin.delete.delete(Target(*deed["target"]))})
                except errors.NotFound:
                    tell({"deleted": 0})


if __name__ == "__main__":
    main()
