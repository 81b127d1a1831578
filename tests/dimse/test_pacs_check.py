"""`gateway check`, read as a hospital engineer does: of each kind of failure what to change, and at whose side (journey B)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from pacs_made import MadePacs, running, wrong

from dicomgate.dimse.associations import Peer
from dicomgate.dimse.pacs_check import Check, Probe
from dicomgate.dimse.receiver import Receiver, Reception


def probes(
    port: int, *, title: str = "PACS", receiver: Receiver | None = None, way: str = "auto", seconds: float = 60.0
) -> list[Probe]:
    peer = Peer(title=title, host="127.0.0.1", port=port, own_title="GATEWAY", connect_seconds=seconds)
    return list(Check(peer=peer, receiver=receiver, own_host="10.1.2.9", way=way).probes())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(Reception(title="GATEWAY", host="127.0.0.1"))
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "says", "advice"),
    [
        (
            "nobody",
            "Connection refused",
            "Here: see that pacs.host and pacs.port are right. On the way: see that a fire",
        ),
        ("silent", "said nothing for 0.3 seconds on an open connection", "Here: pacs.port must be the PACS's port for"),
        ("garbage", "does not speak DICOM", "where that wants TLS, set pacs.tls.\nAt the PACS: some go away like this"),
        ("abort", "aborted the association before it was open", "is GATEWAY among those it does? Its log tells more."),
        (
            "calling",
            "does not know our title GATEWAY",
            "Ask the PACS administrator to add:  AE title GATEWAY   host 10.",
        ),
        ("busy", "as many associations are open", "At the PACS: end what is open, or allow GATEWAY more associations."),
    ],
)
def test_where_no_association_comes_about_one_probe_says_why(kind, says, advice):
    server = wrong(kind)
    port = server.getsockname()[1]
    if kind == "nobody":
        server.close()
    (probe,) = probes(port, seconds=0.3 if kind == "silent" else 60.0)
    server.close()
    assert (probe.name, probe.is_good) == ("C-ECHO", False)
    assert says in probe.says
    assert advice in probe.advice


@pytest.mark.slow
def test_of_a_pacs_that_does_all_an_instance_comes_both_ways(receiver):
    with running(MadePacs(move_to=receiver.port)) as pacs:
        assert [one.says for one in probes(pacs.port, receiver=receiver)][1:] == [
            "study level; it has no study",
            "not tried further: the PACS has no instance",
            "not tried: the PACS has no instance",
        ]
        pacs.fill(1)
        found = probes(pacs.port, receiver=receiver)
        assert all(one.is_good and not one.advice for one in found)
        assert [one.says for one in found][2:] == ["an instance came on the asking association", "an instance came"]
        (probe,) = probes(pacs.port, title="OTHER")
        assert "does not answer to the title OTHER" in probe.says
        assert "set pacs.title to the AE title of the PACS" in probe.advice


@pytest.mark.slow
def test_a_destination_that_the_pacs_does_not_know_matters_where_it_is_needed(receiver):
    """Not while C-GET works; without it the administrator's line is printed, ready to be sent."""
    for does_get in (True, False):
        with running(MadePacs(does_get=does_get, knows_destination=False)) as pacs:
            pacs.fill(1)
            *_, get, move = probes(pacs.port, receiver=receiver)
            assert get.is_good
            assert move.is_good is does_get
            assert "0xA801 (the move destination is not known)" in move.says
            assert ("not needed, for C-GET works" in move.says) is does_get
            line = f"AE title GATEWAY   host 10.1.2.9   port {receiver.port}   (C-STORE, C-FIND, C-GET, C-MOVE)"
            assert (line in move.advice) is not does_get
            if not does_get:
                *_, only = probes(pacs.port, way="get")
                assert (only.is_good, only.advice) == (
                    False,
                    "At the PACS: allow C-GET. Or here: set pacs.retrieve to move.",
                )


@pytest.mark.slow
def test_what_is_sent_to_somebody_else_is_a_matter_of_the_way(receiver):
    with socket.create_server(("127.0.0.1", 0)) as nobody, running(MadePacs(does_get=False)) as pacs:
        pacs.fill(1)
        pacs.withholds = 1
        pacs.move_to = receiver.port
        *_, move = probes(pacs.port, receiver=receiver)
        nobody.close()
    assert not move.is_good
    assert "nothing came" in move.says
    assert move.advice.startswith("On the way: see that a firewall lets the PACS through. Ask the PACS administrator")
