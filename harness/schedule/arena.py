"""Arena: an offset for each block of a schedule; time is counted in segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.schedule.lifetime import Block
from harness.schedule.packer import pack
from harness.schedule.packing import Overlap, Packing


def place(blocks: Sequence[Block], overlaps: Sequence[Overlap] = ()) -> tuple[int, ...]:
    """Return the offset of each block, in bytes; the peak is as low as the search found."""
    return pack(packing(blocks, overlaps))


def lower_bound(blocks: Sequence[Block], overlaps: Sequence[Overlap] = ()) -> int:
    """Return the most bytes needed in one segment, in bytes: no arena can be smaller."""
    return packing(blocks, overlaps).bound


def packing(
    blocks: Sequence[Block], overlaps: Sequence[Overlap] = (), moments: range | None = None
) -> Packing:
    """Return blocks and their lifetimes as a problem; with ``moments`` only what is alive then."""
    alive: dict[int, list[tuple[int, int]]] = {}
    for i, block in enumerate(blocks):
        for piece in block.pieces:
            for moment in range(piece.first, piece.last + 1):
                if moments is None or moment in moments:
                    alive.setdefault(moment, []).append((i, piece.size_bytes))
    sizes: dict[int, int] = {}
    for moment in sorted(alive):
        for i, size in alive[moment]:
            sizes[i] = max(size, sizes.get(i, 0))
    kept = sorted(sizes)
    numbers = {i: number for number, i in enumerate(kept)}
    # Scratch comes after the tensors of its segment, so that it fills what lies between them.
    order = sorted(sizes, key=lambda i: (blocks[i].first, not blocks[i].is_tensor))
    return Packing(
        [sizes[i] for i in kept],
        ([(numbers[i], size) for i, size in alive[moment]] for moment in sorted(alive)),
        [numbers[i] for i in order],
        [
            replace(overlap, below=numbers[overlap.below], above=numbers[overlap.above])
            for overlap in overlaps
            if overlap.below in numbers and overlap.above in numbers
        ],
    )
