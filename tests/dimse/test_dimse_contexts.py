"""Presentation contexts: what is taken, what is offered, and how many associations that needs (PS3.8 §7.1.1.13)."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from dicomgate.dicom import sop_classes, syntaxes
from dicomgate.dimse import contexts, negotiation
from dicomgate.dimse.contexts import Agreed, Answer, Context, Root, Service
from dicomgate.dimse.negotiation import Wishes

CT = "1.2.840.10008.5.1.4.1.1.2"
J2K = "1.2.840.10008.1.2.4.90"


def test_every_storage_class_is_taken_also_private_ones() -> None:
    every = (*sop_classes.STORED, "1.2.3.4.5")
    assert len(every) > 150
    assert {contexts.find_service(sop_class) for sop_class in every} == {Service.STORAGE}


def test_every_transfer_syntax_of_the_table_is_taken_alone() -> None:
    chosen = [contexts.choose(Context(1, CT, (uid,))) for uid in syntaxes.TABLE]
    assert chosen == [Agreed(1, CT, uid, we_send=False) for uid in syntaxes.TABLE]


def test_the_order_of_who_asks_counts() -> None:
    assert contexts.choose(Context(1, CT, ("9.9", J2K, syntaxes.EXPLICIT_LITTLE))) == Agreed(1, CT, J2K, we_send=False)


def test_where_we_send_what_can_be_made_of_anything_comes_first() -> None:
    offered = Context(3, CT, (J2K, syntaxes.IMPLICIT_LITTLE))
    assert contexts.choose(offered, sends=True) == Agreed(3, CT, syntaxes.IMPLICIT_LITTLE)


def test_what_is_not_taken_is_said_with_the_reason() -> None:
    assert contexts.choose(Context(1, CT, ("9.9",))) is Answer.TRANSFER_SYNTAXES
    assert contexts.choose(Context(1, "1.2.840.10008.5.1.4.31", (syntaxes.IMPLICIT_LITTLE,))) is Answer.ABSTRACT_SYNTAX
    assert contexts.choose(Context(1, Root.STUDY.find, (J2K,))) is Answer.TRANSFER_SYNTAXES
    few = frozenset({Service.VERIFICATION})
    assert contexts.choose(Context(1, CT, (J2K,)), services=few) is Answer.ABSTRACT_SYNTAX


def test_more_than_128_contexts_become_several_associations() -> None:
    pairs = [(f"1.2.{number}", J2K) for number in range(150)]
    plans = contexts.plan(pairs)
    assert [len(plan) for plan in plans] == [128, 128, 44]
    offered = {(each.abstract_syntax, syntax) for plan in plans for each in plan for syntax in each.transfer_syntaxes}
    assert offered >= set(pairs)
    assert offered >= {(f"1.2.{number}", syntaxes.IMPLICIT_LITTLE) for number in range(150)}


@given(
    st.lists(st.tuples(st.sampled_from([*sop_classes.STORED]), st.sampled_from([*syntaxes.TABLE])), max_size=400),
    st.integers(2, 128),
)
def test_each_instance_has_a_context_of_its_own_syntax(pairs: list[tuple[str, str]], most: int) -> None:
    plans = contexts.plan(pairs, most=most)
    assert all(0 < len(plan) <= most for plan in plans)
    numbered = [contexts.number_contexts(plan) for plan in plans]
    assert all([each.number for each in plan] == list(range(1, 2 * len(plan), 2)) for plan in numbered)
    alone = {(each.abstract_syntax, each.transfer_syntaxes) for plan in plans for each in plan}
    assert alone >= {(sop_class, (syntax,)) for sop_class, syntax in pairs}


def test_the_context_to_send_in_is_that_of_the_stored_syntax_else_an_uncompressed_one() -> None:
    agreed = [Agreed(1, CT, syntaxes.EXPLICIT_LITTLE), Agreed(3, CT, J2K), Agreed(5, CT, "1.2.3", we_send=False)]
    assert contexts.find_for(agreed, CT, J2K) is agreed[1]
    assert contexts.find_for(agreed, CT, "1.2.3") is agreed[0]
    assert contexts.find_for(agreed, "1.2", J2K) is None


@given(st.builds(Wishes, *[st.booleans()] * 7))
def test_wishes_come_back(wishes: Wishes) -> None:
    assert negotiation.parse_wishes(Service.FIND, negotiation.format_wishes(Service.FIND, wishes)) == wishes


def test_wishes_of_retrieval_are_two_and_as_long_as_the_peer_knows() -> None:
    wishes = negotiation.parse_wishes(Service.GET, b"\x01\x01\x01")
    assert wishes == Wishes(relational=True, views=True)
    assert negotiation.format_wishes(Service.FIND, Wishes(relational=True, fuzzy=True), 2) == b"\x01\x00"
    assert negotiation.parse_wishes(Service.FIND, b"\x02") == Wishes()
    assert (wishes & Wishes(views=True)) == Wishes(views=True)
