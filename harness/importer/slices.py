"""STRIDED_SLICE: masks and negative indices become begins, strides and lengths."""

from __future__ import annotations

from harness.importer.site import Refusal, Site
from harness.ir import Op
from harness.ir import ops as ir


def strided_slice(site: Site) -> Op:
    """Return the op; begins and ends are clamped to the axis as Python's slices are.

    A shrunk axis takes one element, whatever its end and stride say.
    """
    options = site.options
    for field, what in (
        ("EllipsisMask", "an ellipsis"),
        ("NewAxisMask", "new axes"),
        ("Offset", "ends relative to begins"),
    ):
        if options[field]:
            raise Refusal(f"{what} in a slice: not offered")
    shape = site.input(0).shape
    begins, ends, strides = (
        site.constant(position, what)
        for position, what in ((1, "begins"), (2, "ends"), (3, "strides"))
    )
    if not len(begins) == len(ends) == len(strides) <= len(shape):
        raise site.malformed(
            f"{len(begins)} begins, {len(ends)} ends, {len(strides)} strides, {len(shape)} axes"
        )
    if 0 in strides:
        raise site.malformed("a stride is 0")
    first, steps, lengths = [0] * len(shape), [1] * len(shape), list(shape)
    for axis, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True)):
        bit = 1 << axis
        start, stop, step = slice(
            None if int(options["BeginMask"]) & bit else begin,
            None if int(options["EndMask"]) & bit else end,
            stride,
        ).indices(shape[axis])
        if int(options["ShrinkAxisMask"]) & bit:
            stop, step = start + 1, 1
            if not 0 <= start < shape[axis]:
                raise site.malformed(f"index {begin} on axis {axis} of {list(shape)}")
        first[axis], steps[axis], lengths[axis] = start, step, len(range(start, stop, step))
    return ir.StridedSlice(
        inputs=site.ids(0, 1),
        outputs=site.outputs(),
        index=site.index,
        begin=tuple(first),
        strides=tuple(steps),
        lengths=tuple(lengths),
    )
