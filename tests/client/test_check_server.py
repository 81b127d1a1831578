"""Our own server passes every probe of `dicomgate check`, with instances stored for it and with what is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dicomgate import assembly, config, errors
from dicomgate.client import check
from dicomgate.client.probing import Ask, Asker, Finding, Verdict
from dicomgate.samples import check_files
from dicomgate.testing.serving import Served, serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = config.Settings(store=config.Store(allow_delete=True))
    with serving(assembly.application(settings, data=tmp_path_factory.mktemp("data"))) as serves:
        yield serves


@pytest.fixture
def asker(served: Served) -> Iterator[Asker]:
    with Asker(f"{served.url}/dicomweb", seconds=100) as asking:
        yield asking


def unmet(findings: list[Finding]) -> list[str]:
    return [
        f"{finding.probe.item} {finding.probe.asks}: {finding.verdict}, saw {finding.saw}"
        for finding in findings
        if finding.verdict is not Verdict.PASSED
    ]


def test_it_passes_all_and_keeps_nothing(served: Served, asker: Asker) -> None:
    subject = check.store(asker, check_files.make("first"))
    subject.wado = f"{served.url}/wado"
    findings = list(check.run(subject, check.PROBES))
    assert unmet(findings) == []
    assert check.delete(subject) == []
    assert asker.ask(Ask(path="/studies")).status == 204


def test_without_leave_to_store_nothing_is_stored_and_nothing_fails(served: Served, asker: Asker) -> None:
    stored = check.store(asker, check_files.make("second"))
    before = asker.ask(Ask(path="/instances")).body
    subject = check.find(asker)
    subject.wado = f"{served.url}/wado"
    assert len(subject.images) == 3
    assert set(subject.things) == set(stored.things)
    findings = list(check.run(subject, check.PROBES))
    assert asker.ask(Ask(path="/instances")).body == before
    assert {finding.verdict for finding in findings} == {Verdict.PASSED, Verdict.SKIPPED}
    assert all("--store" in finding.saw for finding in findings if finding.verdict is Verdict.SKIPPED)
    check.delete(stored)


def test_a_server_without_images_is_said_to_be_so(asker: Asker) -> None:
    with pytest.raises(errors.NotFound, match="--store"):
        check.find(asker)
