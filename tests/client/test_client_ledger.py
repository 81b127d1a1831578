"""A store that was cut off goes on where it stopped; a server that was emptied gets everything again."""

import json

import pytest

from dicomgate import errors
from dicomgate.client import ledger, offers, search
from dicomgate.client.offers import Became, Receipt

JSON = {"Content-Type": "application/dicom+json"}


def stored(path):
    offer = offers.read(path)
    return Receipt(path=path, became=Became.STORED, target=offer.target, size=offer.size, mtime_ns=offer.mtime_ns)


def has(*uids):
    """A server that has these instances in every series."""

    def answer(path, body):
        page = [] if "offset=0" not in path else [{"00080018": {"vr": "UI", "Value": [uid]}} for uid in uids]
        return 200, JSON, json.dumps(page).encode()

    return answer


def test_what_was_stored_and_is_there_still_is_known(tmp_path, server, caller, make_file):
    paths = [make_file(tmp_path / f"{n}.dcm", instance=f"1.2.3.4.{n}") for n in (1, 2)]
    with ledger.Ledger(caller, tmp_path / "state") as first:
        first.note(stored(paths[0]))
    server.answers.append(has("1.2.3.4.1", "1.2.3.4.2"))
    with ledger.Ledger(caller, tmp_path / "state") as second:
        assert second.find(paths[0]).became is Became.KNOWN
        assert second.find(paths[1]) is None, "the server has it, but nobody knows from which file"
    assert server.asked[0][1].startswith("/dicomweb/studies/1.2.3/series/1.2.3.4/instances?")


def test_a_changed_file_is_not_known(tmp_path, server, caller, make_file):
    path = make_file(tmp_path / "1.dcm")
    with ledger.Ledger(caller, tmp_path / "state") as first:
        first.note(stored(path))
    make_file(path, size=10)
    server.answers.append(has("1.2.3.4.5"))
    with ledger.Ledger(caller, tmp_path / "state") as second:
        assert second.find(path) is None
        path.unlink()
        assert second.find(path) is None


@pytest.mark.parametrize("answer", [has(), (404, {}, b""), (400, {}, b""), (200, {}, b"<html>")])
def test_a_server_that_does_not_have_it_or_cannot_say_gets_it_again(tmp_path, server, caller, make_file, answer):
    path = make_file(tmp_path / "1.dcm")
    with ledger.Ledger(caller, tmp_path / "state") as first:
        first.note(stored(path))
    server.answers.append(answer)
    with ledger.Ledger(caller, tmp_path / "state") as second:
        assert second.find(path) is None


def test_a_torn_or_foreign_line_is_left_out(tmp_path, server, caller, make_file):
    path = make_file(tmp_path / "1.dcm")
    with ledger.Ledger(caller, tmp_path / "state") as first:
        first.note(stored(path))
    (file,) = (tmp_path / "state").iterdir()
    whole = file.read_bytes()
    file.write_bytes(b"\xff\n" + b"x" * 32 + b" 1 2 3\n" + whole + whole[:-3])
    server.answers.append(has("1.2.3.4.5"))
    with ledger.Ledger(caller, tmp_path / "state") as second:
        assert second.find(path).became is Became.KNOWN


def test_the_ledger_holds_no_names_and_only_its_owner_reads_it(tmp_path, server, caller, make_file):
    path = make_file(tmp_path / "Doe^Jane.dcm")
    with ledger.Ledger(caller, tmp_path / "state") as book:
        book.note(stored(path))
    (file,) = (tmp_path / "state").iterdir()
    assert b"Doe" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0


def test_a_search_goes_through_every_page(server, caller):
    everything = [{"00080018": {"vr": "UI", "Value": [f"1.{n}"]}} for n in range(250)]

    def page(path, body):
        offset = int(path.partition("offset=")[2].partition("&")[0])
        return 200, JSON, json.dumps(everything[offset : offset + 100]).encode()

    server.answers.append(page)
    assert list(search.search(caller, "/instances", {"Modality": "CT"})) == everything
    assert len(server.asked) == 4
    assert "Modality=CT" in server.asked[0][1]


def test_no_content_ends_a_search(server, caller):
    server.answers.append((204, {}, b""))
    assert list(search.search(caller, "/studies")) == []


@pytest.mark.parametrize("answer", [(400, {}, b"no"), (200, JSON, b"{}"), (200, JSON, b"[1]"), (200, JSON, b"[")])
def test_a_search_answered_with_something_else_is_told(server, caller, answer):
    server.answers.append(answer)
    with pytest.raises(errors.UpstreamFailed):
        list(search.search(caller, "/studies"))
