"""A `get` killed at 30 random moments: nothing partial ever has a final name, and the next run completes it."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from dicomgate.cli import main
from dicomgate.dicom import header
from dicomgate.dicom.source import BytesSource
from dicomgate.testing import instances
from dicomgate.testing.processes import running

pytestmark = [pytest.mark.slow, pytest.mark.crash]

KILLS = 30


@pytest.fixture
def scans(tmp_path):
    """Three series of twenty instances of some hundred kilobytes: their bytes by instance."""
    folder = tmp_path / "scans"
    folder.mkdir()
    made = {}
    for series in range(3):
        about = instances.new_target()
        for number in range(20):
            target = instances.new_target(about.study, about.series)
            content = instances.make(target, rows=256, columns=256, attributes={"InstanceNumber": number})
            (folder / f"{series}-{number}").write_bytes(content)
            made[target.instance] = content
    return made


def start(server, out):
    command = [sys.executable, "-m", "dicomgate", "get", server.root, "--out", str(out), "--jobs", "2"]
    return subprocess.Popen(
        [*command, "--progress", "json"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def check_complete(out, made):
    """What has a final name is what was stored, whole."""
    found = [path for path in out.rglob("*") if path.is_file() and ".dicomgate-partial" not in path.parts]
    for path in found:
        assert path.suffix == ".dcm", path
        assert path.read_bytes() == made[path.stem], path
    return len(found)


def test_killed_at_30_moments(tmp_path, scans, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert main.run(["store", str(tmp_path / "data"), str(tmp_path / "scans")]) == 0
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    out = tmp_path / "out"
    with running(data=tmp_path / "data", log=tmp_path / "log") as server:
        with start(server, out) as process:
            process.stderr.readline()
            began = time.monotonic()
            process.communicate()
        longest = time.monotonic() - began
        assert (process.returncode, check_complete(out, scans)) == (0, len(scans))
        incomplete = 0
        for _ in range(KILLS):
            if check_complete(out, scans) == len(scans):
                shutil.rmtree(out)
            with start(server, out) as process:
                process.stderr.readline()
                time.sleep(chance.uniform(0, longest))
                os.kill(process.pid, signal.SIGKILL)
            incomplete += out.exists() and check_complete(out, scans) < len(scans)
        print("found incomplete", incomplete, "times")
        assert main.run(["get", server.root, "--out", str(out)]) == 0
        assert check_complete(out, scans) == len(scans)
        assert not (out / ".dicomgate-partial").exists()
        for path in out.rglob("*.dcm"):
            assert header.read(BytesSource(path.read_bytes())).target.instance == path.stem
