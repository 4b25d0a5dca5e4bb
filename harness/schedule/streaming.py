"""How many bytes ``stream`` takes where no limit says it: few, at little more work than in place.

The last bytes are dear: they are had by narrow chunks, by long segments, and by single rows, which
kernels make less well than several at once. So it takes the fewest bytes with which it does about
5 % more work than ops in place at most.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.schedule.batches import Batches
from harness.schedule.offer import Offer
from harness.schedule.plan import Plan
from harness.schedule.work import estimated_instructions

_MOST_WORK = 1.04
"""How much of the work in place it may do before it takes more bytes, by estimate, which is up to
1 % too low."""

_WORTH_MORE = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0)
"""What part of its least peak it may add: about the first with which it does not do more."""

_CLOSER = 3
"""How often the step to that part is halved."""

_WORTH_LESS, _WORTH_LESS_BYTES = 0.02, 768
"""The part of the bytes, or the bytes, for which it does less work where that is not enough."""

_WORTH_LITTLE = 8000
"""Bytes that every board has: in these it makes rows in batches where it needs fewer."""


def stream_plan(offer: Offer, batches: Batches, in_place: Plan | None, limit: int | None) -> Plan:
    """Return the plan of least work within a limit, or in little more than the fewest bytes.

    ``in_place`` tells how much work is usual. There is none for an input by rows, which is for
    those who have no bytes: there work hardly counts.
    """
    peak, work = offer.least().planned_peak_bytes, batches.choices.work
    if limit is not None:
        return batches.least_work(offer.front(max(peak, limit)), max(peak, limit))
    if in_place is not None:
        most_work = _MOST_WORK * estimated_instructions(in_place, work)

        def with_more(part: float) -> Plan | None:
            most = peak * (1 + part)
            made = batches.least_work(offer.front(most), max(most, _WORTH_LITTLE))
            return made if estimated_instructions(made, work) <= most_work else None

        too_little = 0.0
        for part in _WORTH_MORE:
            found = with_more(part)
            if found is not None:
                return _closer(with_more, too_little, part, found)
            too_little = part
    near = max(peak * (1 + _WORTH_LESS), peak + _WORTH_LESS_BYTES)
    return batches.least_work(offer.front(near), max(near, _WORTH_LITTLE))


def _closer(
    with_more: Callable[[float], Plan | None], too_little: float, enough: float, found: Plan
) -> Plan:
    """Return a plan with fewer bytes than one that was found, if one is."""
    for _ in range(_CLOSER if too_little else 0):
        part = (too_little + enough) / 2
        nearer = with_more(part)
        if nearer is None:
            too_little = part
        else:
            enough, found = part, nearer
    return found
