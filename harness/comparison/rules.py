"""What a gate lets pass, as a specification states it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from harness.comparison.subject import FIGURES
from harness.errors import near_names
from harness.facts import Facts

_Share = Annotated[float, Field(ge=0, le=1)]


def _known(bands: dict[str, float]) -> dict[str, float]:
    faults = [
        f"there is no figure {name!r} ({near_names(name, FIGURES).rstrip('.')})"
        for name in bands
        if name not in FIGURES
    ]
    if faults:
        raise ValueError("; ".join(faults))
    return bands


class GateRules(Facts):
    """What counts as a change.

    ``bands`` allow an exact figure to grow or shrink by a share of itself; one that is not named
    must be equal. A noisy figure has changed if the Mann-Whitney test says so, the interval of its
    ratio leaves out 1, and it moved by ``least_effect`` or more; with fewer than ``least_samples``
    on either side nothing is said.
    """

    bands: Annotated[dict[str, _Share], AfterValidator(_known)] = Field(default_factory=dict)
    least_effect: _Share = 0.01
    least_samples: Annotated[int, Field(ge=5, le=10_000)] = 8
