"""Noisy figures: how large a shift is, how sure one may be, and where a series has steps.

All methods are rank based, since latencies are skewed and have outliers:

- the Mann-Whitney test (H. B. Mann, D. R. Whitney 1947, doi:10.1214/aoms/1177730491), exact for
  small samples;
- the ratio of two samples as the Hodges-Lehmann estimate of the shift of their logarithms, with
  the confidence interval that inverts the same test (J. L. Hodges, E. L. Lehmann 1963,
  doi:10.1214/aoms/1177704172), so that test and interval agree;
- the rank-biserial correlation as effect size (E. E. Cureton 1956, doi:10.1007/BF02289138);
- Pettitt's test for a step in a series (A. N. Pettitt 1979, doi:10.2307/2346729).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

_Values = NDArray[np.float64]

CONFIDENCE = 0.99
ALPHA = 0.005
"""Chance that a test of two equal samples calls them different."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How much larger the second sample is: a ratio, its confidence interval, and the test.

    ``effect`` is the rank-biserial correlation: 1 when every later value is above every earlier.
    """

    ratio: float
    low: float
    high: float
    p_value: float
    effect: float


def shift(before: Sequence[float], after: Sequence[float]) -> Shift:
    """Return how ``after`` lies to ``before``; values are positive, and there are some of both."""
    from scipy.stats import mannwhitneyu

    tested = mannwhitneyu(after, before, alternative="two-sided")
    pairs = len(before) * len(after)
    ratio, low, high = ratio_of(before, after)
    return Shift(ratio, low, high, float(tested.pvalue), 2 * float(tested.statistic) / pairs - 1)


def ratio_of(before: Sequence[float], after: Sequence[float]) -> tuple[float, float, float]:
    """Return the ratio of two samples, and the ends of its confidence interval."""
    logs = np.log(np.asarray(after, float))[:, None] - np.log(np.asarray(before, float))[None, :]
    ordered = np.sort(logs, axis=None)
    n, m = len(before), len(after)
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    outside = math.floor(n * m / 2 - z * math.sqrt(n * m * (n + m + 1) / 12))
    outside = min(max(outside, 0), (ordered.size - 1) // 2)
    ends = (float(np.median(ordered)), ordered[outside], ordered[-1 - outside])
    middle, low, high = (math.exp(value) for value in ends)
    return middle, low, high


@dataclass(frozen=True, slots=True)
class Step:
    """A series changes its level at ``position``, the first of the new level."""

    position: int
    ratio: float


def steps(series: Sequence[float], *, alpha: float = ALPHA) -> list[Step]:
    """Return where a series of noisy values changes its level, in order.

    Pettitt's test finds the likeliest step; if it is real, both sides are searched further.
    """
    positions = sorted(_splits(np.asarray(series, float), 0, alpha))
    edges = [0, *positions, len(series)]
    return [
        Step(middle, ratio_of(series[first:middle], series[middle:end])[0])
        for first, middle, end in zip(edges, edges[1:], edges[2:], strict=False)
    ]


def _splits(values: _Values, offset: int, alpha: float) -> Iterator[int]:
    n = len(values)
    if n < 2:
        return
    signs = np.sign(values[:, None] - values[None, :])
    # Of a split before position t: how much oftener values after it are larger than before it.
    scores = [float(signs[t:, :t].sum()) for t in range(1, n)]
    position = 1 + int(np.argmax(np.abs(scores)))
    score = abs(scores[position - 1])
    if 2 * math.exp(-6 * score**2 / (n**3 + n**2)) < alpha:
        yield offset + position
        yield from _splits(values[:position], offset, alpha)
        yield from _splits(values[position:], offset + position, alpha)


def exact_steps(series: Sequence[float]) -> list[Step]:
    """Return where a series of exact values changes: everywhere that it does."""
    return [
        Step(position, after / before if before else math.inf)
        for position, (before, after) in enumerate(pairwise(series), start=1)
        if after != before
    ]
