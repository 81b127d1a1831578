"""The memory of where pages ended: bounded, forgetful, and never wrong about whose page it was."""

from __future__ import annotations

from dicomgate.server.walks import END, LARGEST, Walker, Walks

HERE, THERE = ("10.0.0.1", 1), ("10.0.0.1", 2)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def walker(question: str = "q", connection: tuple[str, int] = HERE) -> Walker:
    return Walker(question.encode(), connection)


def test_a_place_is_found_by_question_and_offset() -> None:
    walks = Walks()
    walks.note(walker(), 100, "p")
    assert walks.find(walker(), 100) == "p"
    assert walks.find(walker(), 100) == "p", "a request may be repeated"
    assert walks.find(walker(), 99) is None
    assert walks.find(walker("other"), 100) is None


def test_the_own_connection_goes_first_then_the_latest_of_any() -> None:
    walks = Walks()
    walks.note(walker(), 100, "first")
    walks.note(walker(connection=THERE), 100, "second")
    assert walks.find(walker(), 100) == "first"
    assert walks.find(walker(connection=THERE), 100) == "second"
    assert walks.find(walker(connection=("10.0.0.1", 3)), 100) == "second"


def test_the_end_is_told_once() -> None:
    walks = Walks()
    walks.note(walker(), 100, END)
    assert walks.find(walker(connection=THERE), 100) == END
    assert walks.find(walker(), 100) is None
    assert walks.find(walker(connection=THERE), 100) is None
    assert walks.size == 0


def test_an_end_on_another_connection_leaves_the_own_place() -> None:
    walks = Walks()
    walks.note(walker(connection=THERE), 100, END)
    walks.note(walker(), 100, "p")
    assert walks.find(walker(connection=THERE), 100) == END
    assert walks.find(walker(), 100) == "p"
    assert walks.find(walker(connection=("10.0.0.1", 3)), 100) == "p"


def test_places_grow_old() -> None:
    clock = Clock()
    walks = Walks(seconds=60, clock=clock)
    walks.note(walker(), 100, "p")
    clock.now = 60
    assert walks.find(walker(), 100) == "p"
    clock.now = 61
    assert walks.find(walker(), 100) is None
    walks.note(walker("other"), 1, "q")
    held = walks.size
    walks.note(walker("other"), 1, "q")
    assert walks.size == held, "the old place is gone, the same one is held once"


def test_no_number_of_questions_costs_more_than_the_bound_T17() -> None:
    walks = Walks(size=100_000)
    for number in range(2000):
        walks.note(walker(str(number), ("10.0.0.1", number)), number, "p" * (number % 300))
        assert walks.size <= 100_000
    assert walks.find(walker("1999", ("10.0.0.1", 1999)), 1999) is not None
    assert walks.find(walker("0", ("10.0.0.1", 0)), 0) is None
    walks.note(walker(), 5, "p" * (LARGEST + 1))
    assert walks.find(walker(), 5) is None
