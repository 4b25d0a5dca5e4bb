"""How values are written in C: comments, identifiers, literals, initialisers, wrapped lines.

Names come from model files, which anyone can write: what they become here is plain ASCII that can
end neither a comment nor a line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from harness.ir.tensor import Array
from harness.kernels.call import Constant, Fields, Name, Structs, Value

WIDTH = 100
"""Columns of a generated line, at most."""

_TAB = "    "
_IDENTIFIER_LENGTH = 40
_STRING_FROM = 256
"""Int8 arrays of this many elements are written as strings: GCC reads them 15 times as fast."""


def comment_text(name: str, limit: int = 60) -> str:
    """Return a name as text that is safe inside a comment, cut to ``limit`` characters."""
    text = re.sub(r"[^A-Za-z0-9 _.,:;=+\-\[\]()<>/]", "_", name)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def identifiers(names: Iterable[str]) -> list[str]:
    """Return a different C identifier, in lower case, for each name.

    TensorFlow joins the names of fused ops by ';': the first says enough. Of a long name the end
    is kept, where names differ.
    """
    taken: set[str] = set()
    copies: Counter[str] = Counter()
    result = []
    for name in names:
        stem = _stem(name)
        unique = stem
        while unique in taken:
            copies[stem] += 1
            unique = f"{stem}_{copies[stem] + 1}"
        taken.add(unique)
        result.append(unique)
    return result


def _stem(name: str) -> str:
    words = re.findall(r"[a-z0-9]+", name.split(";")[0].lower())
    while len("_".join(words)) > _IDENTIFIER_LENGTH and len(words) > 1:
        words = words[1:]
    stem = "_".join(words)[-_IDENTIFIER_LENGTH:] or "tensor"
    return stem if stem[0].isalpha() else f"t_{stem}"


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as ``[1, 96, 96, 3]``."""
    return f"[{', '.join(map(str, shape))}]"


def integer(value: int) -> str:
    """Return an int32 as a C literal; the lowest has none of its own."""
    return "INT32_MIN" if value == -(1 << 31) else str(value)


def floating(value: float) -> str:
    """Return a float32 as the shortest C literal that stands for it."""
    text = str(np.float32(value))
    return f"{text}f" if any(mark in text for mark in ".en") else f"{text}.0f"


def wrap(parts: Sequence[str], indent: str) -> list[str]:
    """Return lines of comma-separated parts, none wider than ``WIDTH``."""
    lines, first, width = [], 0, len(indent) - 1
    for i, part in enumerate(parts):
        width += len(part) + 2
        if width > WIDTH and i > first:
            lines.append(f"{indent}{', '.join(parts[first:i])},")
            first, width = i, len(indent) + len(part) + 1
    return [*lines, f"{indent}{', '.join(parts[first:])},"] if parts else lines


def array(symbol: str, data: Array, *, prefix: str) -> str:
    """Return the definition of a constant array; ``prefix`` stands before its type."""
    flat = data.reshape(-1)
    head = f"{prefix}{c_type(data)} {symbol}[{flat.size}]"
    if flat.dtype == np.int8 and flat.size >= _STRING_FROM:
        # A string of exactly this length has no room for its closing zero, and needs none.
        return "\n".join([f"{head} __attribute__((nonstring)) =", *_string_lines(flat)]) + ";\n"
    literal = floating if flat.dtype == np.float32 else integer
    rows = wrap([literal(v) for v in flat.tolist()], _TAB)
    return "\n".join([f"{head} = {{", *rows, "};"]) + "\n"


def c_type(data: Array) -> str:
    """Return the C type of an array's elements."""
    return "float" if data.dtype == np.float32 else f"{data.dtype.name}_t"


Symbol = Callable[[Constant | Structs], str]
"""Says under which name something in flash is found."""


def initialiser(fields: Fields, symbol: Symbol, indent: str = _TAB) -> list[str]:
    """Return the lines of a struct initialiser between its braces, one field a line."""
    lines: list[str] = []
    for name, value in fields.items():
        head = f"{indent}.{name} = "
        text = _value(value, symbol)
        if len(head) + len(text) < WIDTH:
            lines.append(f"{head}{text},")
        elif isinstance(value, Mapping):
            lines += [f"{head}{{", *initialiser(value, symbol, indent + _TAB), f"{indent}}},"]
        else:
            inner = wrap(text.strip("{}").split(", "), indent + _TAB)
            lines += [f"{head}{{", *inner, f"{indent}}},"]
    return lines


def structs(fields: Fields) -> Iterator[Structs]:
    """Yield the arrays of structs that fields point to."""
    for value in fields.values():
        if isinstance(value, Structs):
            yield value
        elif isinstance(value, Mapping):
            yield from structs(value)


def _value(value: Value, symbol: Symbol) -> str:
    match value:
        case Name():
            return value.text
        case Constant() | Structs():
            return symbol(value)
        case float():
            return floating(value)
        case int():
            return integer(value)
        case tuple():
            return f"{{{', '.join(map(integer, value))}}}"
        case _:
            inner = ", ".join(f".{name} = {_value(v, symbol)}" for name, v in value.items())
            return f"{{{inner}}}"


_OCTETS = tuple(f"\\{byte:03o}" for byte in range(256))


def _string_lines(flat: Array) -> list[str]:
    octets = [_OCTETS[byte] for byte in flat.astype(np.int8).tobytes()]
    step = (WIDTH - len(_TAB) - 3) // 4
    return [f'{_TAB}"{"".join(octets[i : i + step])}"' for i in range(0, len(octets), step)]
