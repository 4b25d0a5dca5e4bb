"""How many bytes ``stream`` takes where no limit says it: few, at little more work than in place.

The last bytes are dear: they are had by narrow chunks, by long segments, and by single rows, which
kernels make less well than several at once. So it takes the fewest bytes with which it does about
5 % more work than ops in place at most.
"""

from __future__ import annotations

from harness.schedule.batches import Batches
from harness.schedule.offer import Offer
from harness.schedule.plan import Plan
from harness.schedule.work import estimated_instructions

_MOST_WORK = 1.04
"""How much of the work in place it may do before it takes more bytes, by estimate, which is up to
1 % too low."""

_STEP = 0.02
"""What part of its least peak it adds at first; twice as much each time that is not enough, up to
the bytes in place, in which there is no more work to do."""

_CLOSER = 3
"""How often the last step is halved then."""

_WORTH_LESS, _WORTH_LESS_BYTES = 0.018, 768
"""The part of the bytes, or the bytes, for which it does less work with its input by rows."""

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
    if in_place is None:
        near = max(peak * (1 + _WORTH_LESS), peak + _WORTH_LESS_BYTES)
        return batches.least_work(offer.front(near), max(near, _WORTH_LITTLE))
    most_work = _MOST_WORK * estimated_instructions(in_place, work)
    most = max(peak, in_place.planned_peak_bytes)

    def with_more(more: float) -> tuple[Plan, bool]:
        allowed = min(peak + more, most)
        made = batches.least_work(offer.front(allowed), max(allowed, _WORTH_LITTLE))
        return made, allowed == most or estimated_instructions(made, work) <= most_work

    too_little, enough = 0.0, max(peak * _STEP, 1.0)
    found, is_enough = with_more(enough)
    while not is_enough:
        too_little, enough = enough, 2 * enough
        found, is_enough = with_more(enough)
    for _ in range(_CLOSER if too_little else 0):
        more = (too_little + enough) / 2
        nearer, is_enough = with_more(more)
        if is_enough:
            enough, found = more, nearer
        else:
            too_little = more
    return found
