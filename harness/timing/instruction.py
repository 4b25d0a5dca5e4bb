"""An instruction as far as its timing depends on it."""

from __future__ import annotations

from dataclasses import dataclass

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Instruction:
    """``name`` is lower case, without condition, width and the S of flags.

    ``address`` are the registers that an address is computed from, ``is_indexed`` says that one of
    them is an index; ``written`` are the registers that get a result, and ``count`` is how many
    words a multiple load or store moves, the program counter included, or a VMOV from the core.
    """

    name: str
    written: frozenset[str] = _NONE
    address: frozenset[str] = _NONE
    is_indexed: bool = False
    is_conditional: bool = False
    count: int = 0
