"""Axes of a loop nest that walks two tensors at once.

Loops that walk both without a gap are joined into one, so that the innermost loop is long.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul

from harness.errors import UnsupportedModelError


@dataclass(frozen=True, slots=True)
class Axis:
    """``length`` iterations; each moves on by ``x_step`` in one tensor, ``y_step`` in the other."""

    length: int
    x_step: int
    y_step: int


def contiguous_steps(shape: Sequence[int], unit: int = 1) -> tuple[int, ...]:
    """Return the distance of neighbours along each axis of a tensor in row-major order."""
    behind = accumulate(reversed(shape), mul, initial=unit)
    return tuple(reversed(list(behind)[: len(shape)]))


def joined(axes: Iterable[Axis]) -> tuple[Axis, ...]:
    """Return the same walk with as few axes as possible; none if all have length 1."""
    result: list[Axis] = []
    for axis in axes:
        if axis.length == 1:
            continue
        outer = result[-1] if result else None
        if (
            outer
            and outer.x_step == axis.x_step * axis.length
            and outer.y_step == axis.y_step * axis.length
        ):
            result[-1] = Axis(outer.length * axis.length, axis.x_step, axis.y_step)
        else:
            result.append(axis)
    return tuple(result)


def padded(axes: Sequence[Axis], count: int) -> tuple[Axis, ...]:
    """Return ``count`` axes: the given ones after as many as needed of length 1.

    Raises UnsupportedModelError when there are more already.
    """
    if len(axes) > count:
        raise UnsupportedModelError(
            f"a tensor is walked along {len(axes)} axes that cannot be joined; "
            f"kernels loop over {count}"
        )
    return (Axis(1, 0, 0),) * (count - len(axes)) + tuple(axes)
