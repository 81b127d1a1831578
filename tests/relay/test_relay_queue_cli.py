"""`dicomgate relay queue`: what waits and why, as JSON Lines, and the deeds for the shelf; which options go together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import relay_started as started
from receiver_made import Receiver, receiving

from dicomgate import assembly, config
from dicomgate.cli import main
from dicomgate.dicom.outcomes import Reason

Lines = list[dict[str, object]]


def ask(capsys: pytest.CaptureFixture[str], file: Path, *words: str) -> Lines:
    assert main.run(["relay", "queue", *words, "--config", str(file)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.slow
def test_the_queue_says_what_waits_and_why_and_the_shelf_is_dealt_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = started.make(3, attributes={"PatientName": "Secret^Name", "PatientID": "S3CR3T"})
    first, second, _ = files
    codes = {first: int(Reason.CANNOT_UNDERSTAND), second: int(Reason.CANNOT_UNDERSTAND)}
    with receiving(Receiver(decide=codes.get)) as receiver:
        file = started.write_settings(
            tmp_path / "s.toml", held=tmp_path / "held", hub={"to": receiver.root}, down={"to": "http://127.0.0.1:1/x"}
        )
        settings = config.read(file=file, environment={})
        with assembly.open_relay(settings, dict(settings.destinations)) as relay:
            for content in files.values():
                arrival = relay.spool.arrival()
                arrival.caller = "CT1"
                arrival.write(content)
                relay.intake.accept(arrival)
                arrival.discard()
            with relay.forwarding():
                started.wait_until(lambda: relay.waiting.progress("hub").waiting == 0)
                started.wait_until(lambda: relay.waiting.progress("down").failing_since is not None)
        said = {str(each["destination"]): each for each in ask(capsys, file)}
        assert (said["hub"]["waiting"], said["hub"]["shelf"], said["hub"]["delivered"]) == (0, 2, 1)
        assert (said["down"]["state"], said["down"]["waiting"]) == ("stopped", 3)
        assert "cannot" in str(said["down"]["why"])
        shelf = ask(capsys, file, "--shelf")
        assert [(each["instance"], each["code"], each["from"]) for each in shelf] == [
            (first, "C000", "CT1"),
            (second, "C000", "CT1"),
        ]
        each = ask(capsys, file, "--each")
        assert len(each) == 5
        assert "S3CR3T" not in json.dumps([*each, *said.values()])
        assert "Secret" not in json.dumps(each)
        numbers = [str(one["number"]) for one in shelf]
        assert main.run(["relay", "queue", "discard", numbers[0], "--reason", " ", "--config", str(file)]) == 2
        one = ["relay", "queue", "discard", numbers[0], "--reason", "a test"]
        assert main.run([*one, "--destination", "hub", "--config", str(file)]) == 0
        assert main.run([*one, "--destination", "hub", "--config", str(file)]) == main.NOTHING
        (gone,) = ask(capsys, file, "--discarded")
        assert (gone["instance"], gone["reason"], gone["destination"]) == (first, "a test", "hub")
        assert main.run(["relay", "queue", "retry", numbers[1], "--destination", "hub", "--config", str(file)]) == 0
        assert main.run(["relay", "queue", "retry", "--config", str(file)]) == main.USAGE
        codes.clear()
        with assembly.open_relay(settings, dict(settings.destinations)) as relay:
            with relay.forwarding():
                started.wait_until(lambda: relay.waiting.progress("hub").waiting == 0)
            assert second in receiver.kept
            assert first not in receiver.kept
            assert len(list(relay.blobs.keys())) == 3, "another destination waits for them"
            relay.waiting.discard([("down", number + 1) for number in range(3)], "over")
        assert main.run([*one, "--destination", "hub", "--config", str(file)]) == main.NOTHING
        with assembly.open_relay(settings, dict(settings.destinations)) as relay:
            assert list(relay.blobs.keys()) == [], "who discards clears what nobody wants"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--forward", "http://127.0.0.1:1/x"],
        ["--dimse", "R@127.0.0.1:0"],
        ["--dimse", "R@127.0.0.1:0", "--forward", "nobody"],
        ["--dimse", "R@0.0.0.0:0", "--forward", "http://127.0.0.1:1/x"],
        ["--dimse", "R@127.0.0.1:0", "--forward", "http://127.0.0.1:1/x", "--to", "http://127.0.0.1:1/x"],
        ["--dimse", "R@127.0.0.1:0", "--forward", "http://127.0.0.1:1/x", "--pacs"],
        ["queue", "--shelf", "retry", "1"],
    ],
)
def test_what_cannot_be_meant_is_said(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert main.run(["relay", *words]) == main.USAGE


def test_without_a_relay_there_is_no_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert main.run(["relay", "queue"]) == main.NOTHING


@pytest.mark.parametrize(
    "said",
    [
        {"to": "nobody"},
        {"to": "http://127.0.0.1:1/x", "match": ("StudyDate=soon",)},
    ],
)
def test_settings_that_cannot_be_meant_name_the_destination(tmp_path: Path, said: dict[str, object]) -> None:
    hub = config.Destination(**said)  # type: ignore[arg-type]
    settings = config.Settings(relay=config.Relay(folder=str(tmp_path / "held")), destinations={"hub": hub})
    with pytest.raises(config.WrongSetting, match=r"destinations\.hub"), assembly.open_relay(settings, {"hub": hub}):
        pass


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    settings = config.Settings(relay=config.Relay(folder=str(tmp_path)))
    with pytest.raises(Exception, match="holds other files"), assembly.open_relay(settings, {}):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_who_we_are_in_an_address_is_not_shown() -> None:
    named = assembly.name_destinations(config.Settings(), ["https://me:secret@hub.example.org/dicomweb/"])
    assert list(named) == ["https://hub.example.org/dicomweb"]
    assert named["https://hub.example.org/dicomweb"].to.startswith("https://me:secret@")
