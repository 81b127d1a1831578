"""`dicomgate serve --dimse`: one archive behind two doors, in processes that end with the server (T19, T20, D1)."""

from __future__ import annotations

import os
import signal
import socket
from io import BytesIO
from pathlib import Path

import click
import pydicom
import pytest
from pynetdicom import AE
from pynetdicom.sop_class import SecondaryCaptureImageStorage as Image  # type: ignore[attr-defined]
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from dicomgate import assembly, config
from dicomgate.cli import serve
from dicomgate.dicom import syntaxes
from dicomgate.testing import instances, processes


@pytest.mark.slow
def test_what_comes_by_one_door_is_seen_at_the_other_and_both_close_together(tmp_path: Path) -> None:
    target = instances.new_target()
    dataset = pydicom.dcmread(BytesIO(instances.make(target)))
    arguments = ("--dimse", "0")
    with processes.running(*arguments, data=tmp_path / "data", log=tmp_path / "log") as server:
        entity = AE("TEST")
        entity.add_requested_context(Image, syntaxes.EXPLICIT_LITTLE)
        entity.add_requested_context(Verification)
        idle = entity.associate("127.0.0.1", server.dimse, ae_title="DICOMGATE")
        association = entity.associate("127.0.0.1", server.dimse, ae_title="DICOMGATE")
        assert association.send_c_store(dataset).Status == 0
        association.release()
        assert server.ask("GET", f"/dicomweb/studies/{target.study}/metadata").status == 200
        assert idle.send_c_echo().Status == 0
        port, pids = server.dimse, server.pids()
    assert len(pids) > 1
    idle.join(20)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
def test_a_process_that_dies_is_replaced(tmp_path: Path) -> None:
    environment = {"DICOMGATE__DIMSE__PROCESSES": "1"}
    log = tmp_path / "log"
    with processes.running("--dimse", "0", data=tmp_path / "d", log=log, environment=environment) as server:
        entity = AE("TEST")
        entity.add_requested_context(Verification)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 60
        before = [pid for pid in server.pids() if _is_door(pid)]
        assert len(before) == 1
        os.kill(before[0], signal.SIGKILL)
        association = entity.associate("127.0.0.1", server.dimse, ae_title="DICOMGATE")  # waits until there is one
        assert association.send_c_echo().Status == 0
        association.release()
        assert b"worker died" in log.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
def test_several_associations_are_spread_over_processes(tmp_path: Path) -> None:
    environment = {"DICOMGATE__DIMSE__PROCESSES": "2"}
    with processes.running("--dimse", "0", data=tmp_path / "d", log=tmp_path / "l", environment=environment) as server:
        entity = AE("TEST")
        entity.add_requested_context(Verification)
        doors = {pid: _threads(pid) for pid in server.pids() if _is_door(pid)}
        assert len(doors) == 2
        standing = []
        while not all(_threads(pid) > before for pid, before in doors.items()):
            assert len(standing) < 40, "all went to one process"
            standing.append(entity.associate("127.0.0.1", server.dimse, ae_title="DICOMGATE"))
        for association in standing:
            association.release()


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def _is_door(pid: int) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_nothing_is_open_to_others_unless_it_is_said_who_may_call_T19() -> None:
    def judge(**said: object) -> None:
        section = config.Dimse(port=11112, host="0.0.0.0", **said)  # type: ignore[arg-type]
        serve.refuse_open_door(config.Settings(dimse=section))

    with pytest.raises(click.UsageError):
        judge()
    with pytest.raises(click.UsageError):
        judge(tls_certificate="c", tls_key="k")
    judge(callers=("CT1",))
    judge(tls_certificate="c", tls_key="k", tls_authorities="a")
    serve.refuse_open_door(config.Settings(dimse=config.Dimse(port=-1, host="0.0.0.0")))
    serve.refuse_open_door(config.Settings(dimse=config.Dimse(port=0)))
    open_to_all = config.Settings(server=config.Server(no_auth=True), dimse=config.Dimse(port=0, host="0.0.0.0"))
    serve.refuse_open_door(open_to_all)


@pytest.mark.parametrize(
    "said",
    [
        {"callers": ("A@999.1.1.1",)},
        {"peers": ("A@host:99999",)},
        {"tls_certificate": "c"},
        {"tls_authorities": "a"},
        {"tls_certificate": "/nowhere/c", "tls_key": "/nowhere/k"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(said: dict[str, object]) -> None:
    with pytest.raises(config.WrongSetting):
        assembly.door_settings(config.Settings(dimse=config.Dimse(**said)))  # type: ignore[arg-type]


def test_a_gateway_has_no_dimse_door() -> None:
    with pytest.raises(config.WrongSetting):
        assembly.serve(config.Settings(dimse=config.Dimse(port=0)), pacs=True)
