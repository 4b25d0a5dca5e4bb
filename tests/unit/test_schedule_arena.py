"""Offsets: the least arena on chains and on small packings, and never an overlap."""

from __future__ import annotations

import itertools
import random

import pytest

from harness.schedule.arena import lower_bound, packing, place
from harness.schedule.exact import order_within
from harness.schedule.lifetime import Block, Piece
from harness.schedule.packer import pack
from harness.schedule.plan import Purpose


def block(*pieces: tuple[int, int, int], purpose: Purpose = Purpose.TENSOR) -> Block:
    """Return a block of (size, first, last) pieces."""
    return Block(purpose, tuple(Piece((), *piece) for piece in pieces))


def peak_of(blocks: list[Block]) -> int:
    return max(o + b.size_bytes for o, b in zip(place(blocks), blocks, strict=True))


def least_peak(blocks: list[Block]) -> int:
    """Return the least arena of all: blocks put down in every order, each as low as it goes."""
    return min(stacked_peak([blocks[i] for i in order], len(blocks)) for order in orders(blocks))


def orders(blocks: list[Block]) -> itertools.permutations[tuple[int, ...]]:
    return itertools.permutations(range(len(blocks)))


def stacked_peak(blocks: list[Block], moments: int) -> int:
    """Return the peak when each block rests on those before it (a Tetris without sliding)."""
    top = [0] * (moments + 2)
    peak = 0
    for each in blocks:
        covered = {t: p.size_bytes for p in each.pieces for t in range(p.first, p.last + 1)}
        offset = max(top[t] for t in covered)
        peak = max(peak, offset + each.size_bytes)
        for t, size in covered.items():
            top[t] = offset + size
    return peak


def random_blocks(rng: random.Random, count: int) -> list[Block]:
    blocks = []
    for _ in range(count):
        first = rng.randrange(count)
        last = min(count, first + rng.randrange(4))
        size = 4 * rng.randint(2, 50)
        if last > first and rng.random() < 0.4:
            middle = rng.randrange(first, last)
            blocks.append(block((size, first, middle), (size // 8 * 4, middle + 1, last)))
        else:
            blocks.append(block((size, first, last)))
    return blocks


def test_nothing_needs_nothing() -> None:
    assert place([]) == ()


def test_lower_bound_is_the_most_alive_at_once() -> None:
    blocks = [block((8, -1, 0)), block((12, 0, 1), (4, 2, 3)), block((16, 2, 2))]
    assert lower_bound(blocks) == 20


@pytest.mark.parametrize("seed", range(200))
def test_chain_meets_the_lower_bound(seed: int) -> None:
    """Each tensor is alive in two segments; each segment may have scratch."""
    rng = random.Random(seed)
    blocks = []
    for i in range(rng.randint(1, 12)):
        blocks.append(block((4 * rng.randint(1, 40), i - 1, i)))
        if rng.random() < 0.5:
            blocks.append(block((4 * rng.randint(1, 40), i, i), purpose=Purpose.SCRATCH))
    assert peak_of(blocks) == lower_bound(blocks)


@pytest.mark.parametrize("seed", range(30))
def test_small_packing_is_the_best_of_all_orders(seed: int) -> None:
    blocks = random_blocks(random.Random(seed), 6)
    assert peak_of(blocks) == least_peak(blocks)


@pytest.mark.parametrize(("seed", "count"), [(0, 14), (1, 12)])
def test_packing_that_sorted_orders_miss_is_found(seed: int, count: int) -> None:
    blocks = random_blocks(random.Random(seed), count)
    assert peak_of(blocks) == lower_bound(blocks)


def test_arena_too_small_for_any_order_is_refused_and_one_word_more_is_not() -> None:
    problem = packing(random_blocks(random.Random(3), 6))
    least = problem.peak(pack(problem))
    assert order_within(problem, least, steps=100) is not None
    assert order_within(problem, least - 4, steps=100) is None


def test_part_of_a_problem_keeps_what_is_alive_then() -> None:
    blocks = [block((40, 0, 1), (8, 2, 4)), block((12, 1, 2)), block((16, 5, 6))]
    part = packing(blocks, (), range(2, 4))
    assert part.sizes == (8, 12)
    assert part.bound == 20


@pytest.mark.timeout(5)
def test_thousand_ops_are_placed_in_a_second() -> None:
    rng = random.Random(0)
    blocks = [block((4 * rng.randint(1, 400), i - 1, i + rng.randrange(6))) for i in range(1000)]
    assert peak_of(blocks) <= 1.05 * lower_bound(blocks)
