"""The enhanced view of a gateway over DCMTK's dcmqrscp: a series of a PACS as one object, fetched once (LC-33, LC-34)."""

from __future__ import annotations

import httpx2
import interop_pacs
import pytest
from interop_pacs import dcmqrscp, written

from dicomgate import assembly, config
from dicomgate.multiframe import check
from dicomgate.testing.serving import serving

pytestmark = [interop_pacs.NEEDED, pytest.mark.slow, pytest.mark.interop]
OCTETS = {"Accept": "application/octet-stream; transfer-syntax=*"}
LEGACY_MR = "1.2.840.10008.5.1.4.1.1.4.4"


@pytest.mark.parametrize("option", [(), ("--disable-get",)], ids=["C-GET", "C-MOVE"])
def test_a_series_of_a_pacs_is_one_object_LC_34(tmp_path, option):
    with dcmqrscp(tmp_path, "-v", *option) as (port, move):
        asked = config.read(file=written(tmp_path, port, move), environment={})
        application = assembly.application(asked, pacs=True)
        with (
            serving(application) as served,
            httpx2.Client(base_url=f"http://127.0.0.1:{served.port}/dicomweb", timeout=60, trust_env=False) as caller,
        ):
            (study,) = caller.get("/enhanced/studies", params={"ModalitiesInStudy": "MR"}).json()
            assert study["00201208"]["Value"] == [20], "nobody has opened it in the view"
            path = f"/studies/{study['0020000D']['Value'][0]}"
            (image,) = caller.get(f"/enhanced{path}/metadata").json()
            retrieved = _retrieved(tmp_path / "log")
            assert retrieved == 1
            assert image["00080016"]["Value"] == [LEGACY_MR]
            assert check.check(image) == []
            (study,) = caller.get("/enhanced/studies", params={"ModalitiesInStudy": "MR"}).json()
            assert study["00201208"]["Value"] == [1]
            (found,) = caller.get(f"/enhanced{path}/instances").json()
            assert found["00280008"]["Value"] == [20]
            here = f"{path}/series/{found['0020000E']['Value'][0]}/instances/{found['00080018']['Value'][0]}"
            classics = {one["00080018"]["Value"][0]: one for one in caller.get(f"{path}/metadata").json()}
            for number, frame in enumerate(image["52009230"]["Value"], 1):
                origin = classics.pop(frame["00209172"]["Value"][0]["00081155"]["Value"][0])
                assert frame["00209113"]["Value"][0]["00200032"]["Value"] == origin["00200032"]["Value"]
                source = f"{path}/series/{origin['0020000E']['Value'][0]}/instances/{origin['00080018']['Value'][0]}"
                left = caller.get(f"/enhanced{here}/frames/{number}", headers=OCTETS).content
                assert left == caller.get(f"{source}/frames/1", headers=OCTETS).content
            assert not classics
            shown = caller.get(f"/enhanced{here}/frames/7/rendered", headers={"Accept": "image/jpeg"})
            assert shown.content.startswith(b"\xff\xd8")
            assert _retrieved(tmp_path / "log") == retrieved, "what was fetched once is not fetched again"
        application.close()


def _retrieved(log) -> int:
    said = log.read_bytes()
    return said.count(b"Received Get SCP") + said.count(b"Received Move SCP")
