"""Associations are shared, bounded, and not asked for again while the PACS is down (PRX-06, T20)."""

from __future__ import annotations

import socket
import threading

import pytest
from pacs_made import MadePacs, running

from dicomgate import errors
from dicomgate.dimse import pacs_contexts
from dicomgate.dimse.associations import Peer
from dicomgate.dimse.pool import Pool


@pytest.fixture
def peer():
    with running(MadePacs()) as pacs:
        yield Peer(title="PACS", host="127.0.0.1", port=pacs.port, own_title="GATEWAY", connect_seconds=60)


@pytest.mark.slow
def test_an_association_is_kept_for_the_next_and_asked_whether_it_lives(peer):
    now = [0.0]
    pool = Pool(peer, keep_seconds=60, clock=lambda: now[0])
    seen = [pool.ask(pacs_contexts.QUESTIONS, lambda one: one) for _ in range(2)]
    assert seen[0] is seen[1]
    seen[0].cut()
    now[0] = 10.0
    pool.ask(pacs_contexts.QUESTIONS, lambda one: one.echo())
    assert pool.count == 1, "the dead one was left for a fresh one"
    pool.close()
    with pytest.raises(errors.Unavailable, match="stopping"):
        pool.ask(pacs_contexts.QUESTIONS, lambda one: one.echo())


@pytest.mark.slow
def test_who_finds_all_in_use_waits_and_then_hears_why(peer):
    pool = Pool(peer, most=1, wait_seconds=0.1)
    with pool.association(pacs_contexts.ECHOING) as one:
        one.echo()
        with pytest.raises(errors.Unavailable, match="all 1 associations"), pool.association(pacs_contexts.ECHOING):
            pass
    patient = Pool(peer, most=1, wait_seconds=30)
    begun = threading.Event()

    def hold() -> None:
        with patient.association(pacs_contexts.ECHOING):
            begun.set()

    holder = threading.Thread(target=hold)
    with patient.association(pacs_contexts.ECHOING):
        holder.start()
    holder.join()
    assert begun.is_set()
    pool.close()
    patient.close()


def test_what_failed_is_told_at_once_until_the_pause_is_over():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    now = [0.0]
    pool = Pool(Peer(title="PACS", host="127.0.0.1", port=port, own_title="GATEWAY"), clock=lambda: now[0])
    for _ in range(2):
        with pytest.raises(errors.Unavailable, match="no connection to PACS"):
            pool.ask(pacs_contexts.QUESTIONS, lambda one: one.echo())
    with pytest.raises(errors.Unavailable, match="asked a moment ago"):
        pool.require()
    now[0] = 1.5
    pool.require()
    pool.close()


@pytest.mark.parametrize("count", [1, 5, 9, 10, 40])
def test_no_association_has_more_contexts_than_there_are_numbers(count):
    classes = [f"1.2.3.{number}" for number in range(count)]
    plans = list(pacs_contexts.fetching(classes))
    assert sorted(uid for group, _ in plans for uid in group) == sorted(classes)
    for group, contexts in plans:
        assert len(contexts) <= 128
        for uid in group:
            own = [one for one in contexts if one.abstract_syntax == uid]
            assert len(own) > pacs_contexts.LEAST_SYNTAXES
            assert all(one.is_received for one in own)
