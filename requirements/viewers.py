"""Bring what viewers.txt names into a folder: fetched by npm, checked against its integrity, unpacked, not run.

    python requirements/viewers.py FOLDER

The tests that need a viewer skip, and say so, where this could not be done.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

LISTED = Path(__file__).with_suffix(".txt")


def bring(wanted: str, integrity: str, into: Path) -> None:
    """One package, as FOLDER/name/."""
    name = wanted.rpartition("@")[0].lstrip("@").replace("/", "-")
    with tempfile.TemporaryDirectory() as here:
        command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", here, wanted]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=here, timeout=300)  # noqa: S603
        (packed,) = Path(here).glob("*.tgz")
        algorithm, _, expected = integrity.partition("-")
        seen = hashlib.new(algorithm, packed.read_bytes()).digest()
        if base64.b64encode(seen).decode() != expected:
            sys.exit(f"{wanted} is not what it was: another {algorithm} digest")
        with tarfile.open(packed) as content:
            content.extractall(into / name, filter="data")
    (into / name / "package").rename(into / f"{name}.new")
    (into / name).rmdir()
    (into / f"{name}.new").rename(into / name)


def main() -> None:
    """Bring all that is listed."""
    into = Path(sys.argv[1])
    into.mkdir(parents=True, exist_ok=True)
    for line in LISTED.read_text().splitlines():
        if line and not line.startswith("#"):
            bring(*line.split(), into)


if __name__ == "__main__":
    main()
