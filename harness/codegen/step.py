"""A step: what one segment of a plan becomes in C."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of ``model_steps``.

    ``function`` is its name, ``text`` the functions that it consists of, ``headers`` what they
    include, ``op`` the last op that it executes.
    """

    function: str
    text: str
    headers: tuple[str, ...]
    op: int
