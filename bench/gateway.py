"""The gateway against getscu: a series of one PACS (DCMTK's dcmqrscp) fetched both ways in one run, first and again.

python -m bench.gateway [INSTANCES]
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from dicomgate import assembly, config
from dicomgate.dicom.uids import Target
from dicomgate.testing import instances
from dicomgate.testing.serving import serving

SIDE = 512
WHOLE = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
CONFIGURATION = """
NetworkTCPPort = {port}
MaxPDUSize = 131072
MaxAssociations = 16
HostTable BEGIN
HostTable END
VendorTable BEGIN
VendorTable END
AETable BEGIN
PACS {here}/db RW (10, 1024mb) ANY
AETable END
"""


def main() -> None:
    """Print one line for each way."""
    missing = [name for name in ("dcmqrscp", "storescu", "getscu") if shutil.which(name) is None]
    if missing:
        sys.exit(f"not here: {', '.join(missing)}")
    os.environ["TCP_NODELAY"] = "1"  # without it DCMTK waits 40 ms for every instance, and is what is measured
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as folder, _pacs(Path(folder)) as port:
        here = Path(folder)
        series = _fill(here, port, count)
        size = count * SIDE * SIDE * 2 / 1e6
        seconds = _getscu(here, port, series)
        print(f"getscu                {size / seconds:7.1f} MB/s  {count / seconds:7.1f} instances/s")
        _gateway(here, port, series, size, count)


def _gateway(here: Path, port: int, series: Target, size: float, count: int) -> None:
    said = {
        "pacs.title": "PACS",
        "pacs.host": "127.0.0.1",
        "pacs.port": port,
        "pacs.move_port": 0,
        "pacs.cache": str(here / "kept"),
    }
    application = assembly.application(config.read(options=said, environment={}, directory=here), pacs=True)
    path = f"/studies/{series.study}/series/{series.series}"
    with (
        serving(application) as served,
        httpx2.Client(base_url=f"http://127.0.0.1:{served.port}/dicomweb", timeout=600, trust_env=False) as caller,
    ):
        for words in ("gateway, first", "gateway, kept"):
            began, first, came = time.perf_counter(), 0.0, 0
            with caller.stream("GET", path, headers=WHOLE) as answer:
                for chunk in answer.iter_raw():
                    first = first or time.perf_counter() - began
                    came += len(chunk)
            seconds = time.perf_counter() - began
            assert answer.status_code == 200
            assert came > size * 1e6
            print(
                f"{words:<20}  {size / seconds:7.1f} MB/s  {count / seconds:7.1f} instances/s  "
                f"first image after {first * 1000:.0f} ms"
            )
    application.close()


def _getscu(here: Path, port: int, series: Target) -> float:
    (here / "got").mkdir()
    keys = ("QueryRetrieveLevel=SERIES", f"StudyInstanceUID={series.study}", f"SeriesInstanceUID={series.series}")
    words = ["getscu", "-aec", "PACS", "-S", "-od", str(here / "got"), "localhost", str(port)]
    began = time.perf_counter()
    subprocess.run([*words, *(word for key in keys for word in ("-k", key))], check=True)
    return time.perf_counter() - began


def _fill(here: Path, port: int, count: int) -> Target:
    target = instances.new_target()
    folder = here / "made"
    folder.mkdir()
    for number in range(count):
        one = instances.new_target(target.study, target.series)
        told = {"PatientID": "P1", "PatientName": "A", "InstanceNumber": number + 1, "Modality": "OT"}
        (folder / f"{number}.dcm").write_bytes(instances.make(one, rows=SIDE, columns=SIDE, attributes=told))
    subprocess.run(["storescu", "-aec", "PACS", "+sd", "localhost", str(port), str(folder)], check=True)
    return target


@contextmanager
def _pacs(here: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    (here / "db").mkdir()
    (here / "pacs.cfg").write_text(CONFIGURATION.format(port=port, here=here))
    words = ["dcmqrscp", "-c", str(here / "pacs.cfg")]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(words, stdout=quiet, stderr=quiet, start_new_session=True) as process:
        try:
            echo = ["echoscu", "-aec", "PACS", "localhost", str(port)]
            while subprocess.run(echo, check=False, stdout=quiet, stderr=quiet).returncode:
                time.sleep(0.05)
            yield port
        finally:
            os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
