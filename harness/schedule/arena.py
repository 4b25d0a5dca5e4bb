"""Arena: an offset for each block of a schedule; time is counted in segments."""

from __future__ import annotations

from collections.abc import Sequence

from harness.schedule.lifetime import Block
from harness.schedule.packer import pack, pack_within
from harness.schedule.packing import Overlap, Packing


def place(
    blocks: Sequence[Block], overlaps: Sequence[Overlap] = (), *, capacity: int | None = None
) -> tuple[int, ...]:
    """Return the offset of each block, in bytes; the peak is as low as the search found.

    With a ``capacity`` the search is short, and looks for nothing less than that.
    """
    problem = packing(blocks, overlaps)
    return pack(problem) if capacity is None else pack_within(problem, capacity)


def lower_bound(blocks: Sequence[Block], overlaps: Sequence[Overlap] = ()) -> int:
    """Return the most bytes needed in one segment, in bytes: no arena can be smaller."""
    return packing(blocks, overlaps).bound


def packing(blocks: Sequence[Block], overlaps: Sequence[Overlap] = ()) -> Packing:
    """Return blocks and their lifetimes as a problem."""
    alive: dict[int, list[tuple[int, int]]] = {}
    for i, block in enumerate(blocks):
        for piece in block.pieces:
            for moment in range(piece.first, piece.last + 1):
                alive.setdefault(moment, []).append((i, piece.size_bytes))
    # Scratch comes after the tensors of its segment, so that it fills what lies between them.
    order = sorted(range(len(blocks)), key=lambda i: (blocks[i].first, not blocks[i].is_tensor))
    sizes = [block.size_bytes for block in blocks]
    return Packing(sizes, (alive[moment] for moment in sorted(alive)), order, overlaps)
