"""The documentation is held to the code: every code block runs, every verb, setting and dependency is there."""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest

from dicomgate import config
from dicomgate.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "docs/settings.md",
    *sorted((ROOT / "docs/how-to").glob("*.md")),
]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVED = re.compile(r"`(\w+\.json)`[^`]*?:\n\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DCMTK = {"echoscu", "storescu", "findscu", "getscu"}
RELAYS = re.compile(r"dicomgate relay --dimse")
SERVES = re.compile(r"dicomgate (serve|demo)\b(?!.*--problems)")


def blocks(page, *languages):
    return [(kind, text) for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind in languages]


def named(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


def free_port():
    """One that nobody is given by chance (those begin at 32768): servers here come and go on it."""
    for port in random.SystemRandom().sample(range(12_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    pytest.fail("no port is free")


class Reader:
    """Does what a page says, line by line, in a folder of its own; servers run until the next one starts."""

    def __init__(self, folder):
        self.folder = folder
        self.server = self.relay = None
        self.port, self.dimse = str(free_port()), str(free_port())
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DICOMGATE__SERVER__PORT": self.port,
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_STATE_HOME": str(folder / "state"),
        }

    def do(self, line):
        if line.startswith(("make ", ".venv/")):
            words = (
                ["make", "--dry-run", line.split()[1]] if line.startswith("make ") else ["test", "-e", line.split()[-1]]
            )
            subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
        elif line.split()[0] in DCMTK and shutil.which(line.split()[0]) is None:
            return
        elif SERVES.match(line):
            self.serve(line)
        elif RELAYS.match(line):
            self.start_relay(line)
        else:
            said = line.replace("8104", self.port).replace("11112", self.dimse).replace("curl ", "curl -fsS ")
            command = ["bash", "-euo", "pipefail", "-c", said]
            done = subprocess.run(  # noqa: PLW1510 - the code is looked at below
                command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"

    def serve(self, line):
        self.stop()
        words = ["bash", "-c", f"exec {line.replace('11112', self.dimse)}"]
        self.server = subprocess.Popen(words, cwd=self.folder, env=self.environment, stderr=subprocess.DEVNULL)
        for _ in range(1000):
            assert self.server.poll() is None, f"{line} ended with {self.server.returncode}"
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"{line} does not serve")

    def start_relay(self, line):
        """Beside the server."""
        words = ["bash", "-c", f"exec {line.replace('11112', self.dimse).replace('8104', self.port)}"]
        self.relay = subprocess.Popen(words, cwd=self.folder, env=self.environment, stderr=subprocess.DEVNULL)
        for _ in range(1000):
            assert self.relay.poll() is None, f"{line} ended with {self.relay.returncode}"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(self.dimse)), 5):
                return
            time.sleep(0.1)
        pytest.fail(f"{line} does not listen")

    def stop(self):
        if self.relay is not None:
            self.relay.send_signal(signal.SIGINT)
            assert self.relay.wait(100) == 0
            self.relay = None
        if self.server is not None:
            self.server.send_signal(signal.SIGINT)
            assert self.server.wait(100) == 0
            self.server = None


@pytest.fixture
def reader(tmp_path):
    import imagecodecs
    import numpy as np

    from dicomgate.samples import phantoms
    from dicomgate.testing import instances

    (tmp_path / "scans").mkdir()
    for number, (name, content) in enumerate(phantoms.make()):
        if number % 12 == 0:
            (tmp_path / "scans" / name).write_bytes(content)
    (tmp_path / "scans" / "notes.txt").write_text("not DICOM")
    for name in ("one.dcm", "two.dcm"):
        (tmp_path / name).write_bytes(instances.make())
    (tmp_path / "photo.jpg").write_bytes(imagecodecs.jpeg_encode(np.zeros((30, 40, 3), np.uint8)))
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7\n%%EOF\n")
    subprocess.run(
        [sys.executable, "-m", "dicomgate", "store", "archive", "scans"], cwd=tmp_path, check=True, capture_output=True
    )
    reading = Reader(tmp_path)
    yield reading
    for process in (reading.relay, reading.server):
        if process is not None:
            process.kill()
            process.wait()


@pytest.mark.slow
@named([page for page in PAGES if blocks(page, "sh")])
def test_every_command_works_as_written(page, reader):
    for name, text in SAVED.findall(page.read_text("utf-8")):
        (reader.folder / name).write_text(text)
    for _, text in blocks(page, "sh"):
        for line in text.replace("\\\n", " ").splitlines():
            if "reindex" in line:
                reader.stop()  # as the page says
            reader.do(line)
    reader.stop()


@named([page for page in PAGES if blocks(page, "toml")])
def test_every_settings_file_is_taken(page, tmp_path):
    for _, text in blocks(page, "toml"):
        (tmp_path / "dicomgate.toml").write_text(text)
        assert config.read(directory=tmp_path, environment={}, system_file=tmp_path / "none") != config.Settings()


@named(PAGES)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
        assert link.startswith("http") or (page.parent / link).exists(), link


def test_every_verb_is_described():
    text = "".join(page.read_text("utf-8") for page in PAGES)
    assert [verb for verb in main.VERBS if f"dicomgate {verb}" not in text] == []
    assert "make demo" in text


def test_exit_codes_are_those_of_the_command_line():
    page = (ROOT / "docs/how-to/find-get-sync.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE)
    assert {int(code): words for code, words in rows} == main.EXIT_CODES


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*installed_by_somebody(project), *project["dependency-groups"]["development"]]
    rows = re.findall(
        r"^\| ([a-z][a-z0-9-]+) \| [^|]+ \| [^|]+ \|$", (ROOT / "docs/dependencies.md").read_text("utf-8"), re.MULTILINE
    )
    named = list(dict.fromkeys(re.match(r"[a-z0-9-]+", name)[0] for name in wanted))
    assert [row for row in rows if row != "package"] == named


def installed_by_somebody(project):
    extras = project["project"]["optional-dependencies"]
    assert extras.pop("all") == [f"dicomgate[{','.join(extras)}]"]
    return [*project["project"]["dependencies"], *(name for names in extras.values() for name in names)]


def test_locks_name_no_place_and_hold_what_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for lock, names in (
        ("runtime", installed_by_somebody(project)),
        ("development", project["dependency-groups"]["development"]),
    ):
        text = (ROOT / f"requirements/{lock}.txt").read_text("utf-8")
        assert not re.search(r"://|file:|^-", text, re.MULTILINE)
        locked = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
        assert {re.match(r"[a-z0-9-]+", name)[0] for name in names} <= locked


def test_the_change_log_has_this_version():
    import dicomgate

    assert f"## {dicomgate.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
