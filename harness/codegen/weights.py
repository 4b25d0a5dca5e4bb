"""``weights.c`` and ``weights.h``: every constant array of a model, each in flash once.

Each array gets a section of its own, so that the linker drops what nothing uses and a footprint
can tell weights from code.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.codegen.c_text import array, c_type
from harness.ir.tensor import Array
from harness.kernels.flash import SHARED_FROM

_HEADER = """\
#ifndef BENCH_WEIGHTS_H
#define BENCH_WEIGHTS_H

#include <stdint.h>

"""

_WEIGHTS_MACRO = """\
#define WEIGHTS(name) __attribute__((section(".rodata.weights." #name)))
"""


@dataclass(slots=True)
class Weights:
    """Collects arrays under their symbols; the same bytes need not be stored twice."""

    arrays: dict[str, Array] = field(default_factory=dict)
    _known: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def add(self, symbol: str, data: Array) -> str:
        """Keep an array and return the symbol under which it can be read.

        Asking again for the same symbol gives the same answer.
        """
        if symbol in self.arrays:
            return symbol
        key = (data.dtype.name, data.tobytes())
        if data.nbytes >= SHARED_FROM and key in self._known:
            return self._known[key]
        self.arrays[symbol] = data
        self._known[key] = symbol
        return symbol

    @property
    def size_bytes(self) -> int:
        """Bytes of all arrays together."""
        return sum(data.nbytes for data in self.arrays.values())

    def header(self, banner: str) -> str:
        """Return ``weights.h``."""
        declared = "".join(
            f"extern const {c_type(data)} {symbol}[{data.size}];\n"
            for symbol, data in self.arrays.items()
        )
        return f"{banner}{_HEADER}{declared}\n#endif\n"

    def source(self, banner: str) -> str:
        """Return ``weights.c``."""
        defined = "\n".join(
            array(symbol, data, prefix=f"WEIGHTS({symbol})\nconst ")
            for symbol, data in self.arrays.items()
        )
        return f'{banner}#include "weights.h"\n\n{_WEIGHTS_MACRO}\n{defined}'
