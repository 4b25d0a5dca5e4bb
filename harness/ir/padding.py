"""TensorFlow's rule for "SAME" padding, made explicit."""

from __future__ import annotations

import math


def same_padding(length: int, extent: int, stride: int) -> tuple[int, int]:
    """Return the cells that SAME adds before and after an axis of ``length`` cells.

    The output has ``ceil(length / stride)`` cells, and an odd cell goes after. ``extent`` is the
    window's, dilation included (https://www.tensorflow.org/api_docs/python/tf/nn, "SAME padding").
    """
    outputs = math.ceil(length / stride)
    total = max(0, (outputs - 1) * stride + extent - length)
    return total // 2, total - total // 2
