"""Paths over choices: least peak, least work, and runs that need more together."""

from __future__ import annotations

from harness.schedule.choices import Choice
from harness.schedule.paths import Clashes, cheapest, least_peak


def choice(first: int, end: int, peak: int, work: float) -> Choice:
    return Choice(first, end, peak, work, None)


SMALL, LARGE = choice(0, 1, 10, 9.0), choice(0, 1, 30, 1.0)
NEXT, OTHER = choice(1, 2, 20, 2.0), choice(1, 2, 20, 3.0)
LAST = choice(2, 3, 20, 1.0)
CHOICES = (SMALL, LARGE, NEXT, OTHER, LAST)


def test_least_peak_and_least_work_are_of_different_paths() -> None:
    assert least_peak(CHOICES, 3, Clashes()) == 20
    assert cheapest(CHOICES, 3, Clashes(), 20) == (SMALL, NEXT, LAST)
    assert cheapest(CHOICES, 3, Clashes(), 30) == (LARGE, NEXT, LAST)
    assert cheapest(CHOICES, 3, Clashes(), 19) is None


def test_path_through_a_clash_needs_its_bytes() -> None:
    clashes = Clashes()
    clashes.add((NEXT, LAST), 25)
    assert cheapest(CHOICES, 3, clashes, 24) == (SMALL, OTHER, LAST)
    assert cheapest(CHOICES, 3, clashes, 25) == (SMALL, NEXT, LAST)
    clashes.add((OTHER, LAST), 22)
    assert least_peak(CHOICES, 3, clashes) == 22


def test_clash_that_begins_within_another_is_not_missed() -> None:
    clashes = Clashes()
    clashes.add((SMALL, NEXT, LAST), 40)
    clashes.add((NEXT, LAST), 27)
    clashes.add((SMALL, OTHER), 26)
    assert least_peak(CHOICES, 3, clashes) == 26
    assert cheapest(CHOICES, 3, clashes, 30) == (LARGE, NEXT, LAST)
    assert cheapest(CHOICES, 3, clashes, 29) == (SMALL, OTHER, LAST)
    assert cheapest(CHOICES, 3, clashes, 25) is None
