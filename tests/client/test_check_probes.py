"""Whatever a server answers, each probe ends with a finding, in bounded time and memory."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dicomgate import errors
from dicomgate.client import check, probing, subjects
from dicomgate.client.identity import Identity
from dicomgate.client.probing import Ask, Asker, Probe, Severity, Unexpected, Verdict
from dicomgate.samples import check_files
from dicomgate.testing.serving import serving

JSON = {"Content-Type": "application/dicom+json"}


def subject_of(asker: Asker) -> subjects.Subject:
    """As if its instances had been stored."""
    subject = subjects.Subject(asker=asker)
    for kind, content in check_files.make("bad"):
        if kind == "spare":
            subject.spare.append(content)
        elif kind == "implicit":
            subject.implicit = content
        else:
            subject.things.setdefault(kind, subjects.read_thing(content))
    image = subject.things["image"]
    subject.stored.append(image.study)
    subject.images = subject.study_instances = [image.instance, "1.2.3"]
    subject.study_series = [image.series]
    return subject


def always(status: int, fields: dict[str, str], content: bytes) -> Any:
    """An application that answers everything alike."""
    head = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    head.append((b"content-length", str(len(content)).encode()))

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": content})

    return application


NONSENSE = pytest.mark.parametrize(
    "answer",
    [
        (200, {"Content-Type": "text/html"}, b"<html>Hello"),
        (200, JSON, b"[]"),
        (200, JSON, b'[{"0020000D":{"vr":"UI","Value":[{"a":1}]},"7FE00010":{"BulkDataURI":7}}]'),
        (200, JSON, b'[{"00081199":{"vr":"SQ","Value":[null,{"00081155":{"Value":[[]]}}]}}]'),
        (200, JSON, b'{"00081199":{"vr":"SQ","Value":[null,{"00081155":{"vr":"UI","Value":[[]]}}]}}'),
        (200, JSON, b'[{"00081190":{"vr":"UR","Value":["http://[::1"]},"7FE00010":{"BulkDataURI":"http://[/"}}]'),
        (200, JSON, b"\xff\xfe"),
        (200, {"Content-Type": "multipart/related; boundary=x"}, b"--x\r\n\r\n\r\n--x--\r\n"),
        (200, {"Content-Type": "multipart/related; type=a; boundary=x"}, b"--x\r\nContent-Type: a/b\r\n\r\nDICM"),
        (200, {"Content-Type": "multipart/related"}, b""),
        (200, {"Content-Type": "image/png"}, b"\x89PNG\r\n\x1a\n"),
        (206, {"Content-Type": ";;;", "Vary": ",,"}, b""),
        (302, {"Location": "http://127.0.0.1:1/"}, b""),
        (500, {}, b"broken"),
    ],
)


@pytest.mark.slow
@NONSENSE
def test_nonsense_to_look_at_is_a_fault(answer: tuple[int, dict[str, str], bytes]) -> None:
    refused = pytest.raises((errors.UpstreamFailed, errors.NotFound))
    with serving(always(*answer)) as served, Asker(f"{served.url}/dicomweb", seconds=100) as asker, refused:
        check.find(asker)


@pytest.mark.slow
@NONSENSE
def test_nonsense_is_a_finding_for_every_probe(answer: tuple[int, dict[str, str], bytes]) -> None:
    with serving(always(*answer)) as served, Asker(f"{served.url}/dicomweb", seconds=100) as asker:
        findings = list(check.run(subject_of(asker), check.PROBES))
        left = check.delete(subject_of(asker))
    assert len(findings) == len(check.PROBES)
    verdicts = check.counts(findings)
    assert verdicts[Verdict.FAILED] > 60
    assert verdicts[Verdict.PASSED] < 40
    assert bool(left) == (answer[0] != 200)


@pytest.mark.slow
def test_a_connection_that_breaks_is_a_finding(server: Any) -> None:
    server.answers.append("break")
    with Asker(server.root) as asker:
        findings = list(check.run(subject_of(asker), check.chosen(["QIDO"])))
    assert {finding.verdict for finding in findings} <= {Verdict.FAILED, Verdict.ADVICE, Verdict.NOT_OFFERED}
    assert all(finding.saw.startswith("no answer") for finding in findings)


def test_there_are_many_probes_and_each_says_what_it_is_about() -> None:
    assert len(check.PROBES) > 100
    asked = Counter((probe.item, probe.asks, probe.expects) for probe in check.PROBES)
    assert [about for about, times in asked.items() if times > 1] == []
    named = {probe.item for probe in check.PROBES}
    rules = {f"V{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18)}
    assert rules <= named


def test_probes_are_chosen_by_the_beginning_of_their_items() -> None:
    assert {probe.item for probe in check.chosen(["qido-16", "STOW-1"])} >= {"QIDO-16", "STOW-10", "STOW-12"}
    assert check.chosen([]) == list(check.PROBES)
    assert check.chosen(["NOTHING"]) == []


def fails(subject: Any) -> None:
    raise Unexpected("404")


@pytest.mark.parametrize(
    ("severity", "verdict"),
    [
        (Severity.MUST, Verdict.FAILED),
        (Severity.SHOULD, Verdict.ADVICE),
        (Severity.MAY, Verdict.NOT_OFFERED),
    ],
)
def test_what_is_not_met_weighs_as_the_standard_says(severity: Severity, verdict: Verdict) -> None:
    probe = Probe(item="GEN-01", severity=severity, asks="a", expects="b", run=fails)
    finding = probing.settle(probe, None)
    assert (finding.verdict, finding.saw) == (verdict, "404")
    assert finding.is_failure == (severity is Severity.MUST)


@pytest.mark.slow
def test_the_token_goes_to_no_other_address_that_answers_name(server: Any, tmp_path: Path) -> None:
    server.answers.append((200, {}, b""))
    (tmp_path / "token").write_text("secret\n")
    with Asker(server.root, identity=Identity(token_file=str(tmp_path / "token"))) as asker:
        asker.ask(Ask(path="/studies"))
        asker.ask(Ask(path="/studies", is_anonymous=True))
        asker.ask(Ask(path=server.root.replace("127.0.0.1", "localhost") + "/bulk"))
    assert [asked[2].get("Authorization") for asked in server.asked] == ["Bearer secret", None, None]


def test_an_answer_without_end_is_left(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_LARGEST", 1000)
    server.answers.append((200, {}, b"x" * 2000))
    with Asker(server.root) as asker, pytest.raises(Unexpected, match="more than"):
        asker.ask(Ask(path="/studies"))


def test_an_answer_that_does_not_come_is_not_waited_for(server: Any) -> None:
    released = threading.Event()

    def late(path: str, body: bytes) -> Any:
        released.wait(100)
        return (200, {}, b"")

    server.answers.append(late)
    try:
        with Asker(server.root, seconds=0.2) as asker, pytest.raises(Unexpected, match=r"within 0\.2 seconds"):
            asker.ask(Ask(path="/studies"))
    finally:
        released.set()


@pytest.mark.slow
def test_a_silent_server_is_not_asked_for_ever(server: Any) -> None:
    released = threading.Event()

    def late(path: str, body: bytes) -> Any:
        released.wait(100)
        return (200, {}, b"")

    server.answers.append(late)
    try:
        with Asker(server.root, seconds=0.05) as asker:
            findings = list(check.run(subject_of(asker), check.chosen(["QIDO", "RET"])))
    finally:
        released.set()
    assert [finding.is_silent for finding in findings[:6]] == [True] * 5 + [False]
    assert {finding.verdict for finding in findings[5:]} == {Verdict.SKIPPED}
    assert len(server.asked) <= 5


def test_all_questions_of_a_probe_have_the_time_of_one(server: Any) -> None:
    server.answers.append((200, {}, b""))
    with Asker(server.root, seconds=100) as asker:
        asker.begin()
        asker._until -= 200
        with pytest.raises(probing.Silent):
            asker.ask(Ask(path="/studies"))
        asker.begin()
        assert asker.ask(Ask(path="/studies")).status == 200


def test_a_server_that_stores_nothing_is_not_probed_as_if_it_did(server: Any) -> None:
    server.answers.append((401, {}, b""))
    with Asker(server.root) as asker:
        with pytest.raises(errors.Forbidden):
            check.store(asker, check_files.make("x"))
        with pytest.raises(errors.Forbidden):
            check.find(asker)
        server.answers[0] = (500, {}, b"")
        with pytest.raises(errors.UpstreamFailed):
            check.store(asker, check_files.make("x"))
        with pytest.raises(errors.UpstreamFailed):
            check.find(asker)


def test_the_files_are_new_each_time_and_the_same_for_one_seed() -> None:
    once, again, other = (list(check_files.make(seed)) for seed in ("a", "a", "b"))
    assert once == again
    instances = {subjects.read_thing(content).instance for _, content in (*once, *other)}
    assert len(instances) == 2 * len(once)
