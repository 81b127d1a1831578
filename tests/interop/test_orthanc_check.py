"""The report on Orthanc that the documentation shows is what `dicomgate check` says of it, probe by probe."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import interop_orthanc
import pytest

from dicomgate.client import check
from dicomgate.client.probing import Asker, Verdict
from dicomgate.samples import check_files

PAGE = Path(__file__).parents[2] / "docs/examples/check-of-orthanc.md"

pytestmark = [pytest.mark.slow, interop_orthanc.NEEDED]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, on loopback, with an empty store."""
    with interop_orthanc.running(tmp_path_factory.mktemp("orthanc")) as address:
        yield address


def test_the_report_in_the_documentation_is_what_is_seen(orthanc: str) -> None:
    told = re.findall(r"^\| ([A-Z0-9-]+) \| \w+ \| ([\w ]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    with Asker(f"{orthanc}/dicom-web", seconds=100) as asker:
        subject = check.store(asker, check_files.make("orthanc"))
        subject.wado = f"{orthanc}/wado"
        found = [(finding.probe.item, finding.verdict.value) for finding in check.run(subject, check.PROBES)]
        left = check.delete(subject)
    assert len(found) == len(check.PROBES)
    assert left, "this version deletes nothing over DICOMweb, and that is said"
    if _version(orthanc) == "1.10.1":
        assert found == told
    assert (sum(verdict == Verdict.PASSED for _, verdict in found)) > 90


def _version(address: str) -> str:
    with urllib.request.urlopen(f"{address}/system", timeout=100) as answer:
        return str(json.load(answer)["Version"])
