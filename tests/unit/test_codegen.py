"""Generated C: deterministic, narrow, and safe from hostile names."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from harness.codegen.c_text import (
    WIDTH,
    array,
    comment_text,
    floating,
    identifiers,
    initialiser,
    integer,
)
from harness.codegen.model_c import generate
from harness.codegen.op_text import OpText
from harness.codegen.sources import Sources
from harness.codegen.weights import Weights
from harness.errors import UnsupportedModelError
from harness.ir import Graph
from harness.kernels.call import Fields, Structs
from harness.schedule.search import plan
from tests.graphs import GraphBuilder, chain_graph, residual_graph
from tests.host_c.native import HOST

HOSTILE = ["*/ int x; /*", "??/", "a\\\n#error", '"; system("', "ünï/çødé", "", "a" * 5000, "1st"]


def sources(graph: Graph, schedule: str = "inplace") -> Sources:
    return generate(plan(graph, schedule), target=HOST)


def test_the_same_plan_gives_the_same_text() -> None:
    assert sources(chain_graph()) == sources(chain_graph())


@pytest.mark.parametrize("schedule", ["layer", "inplace"])
def test_no_line_is_too_wide(schedule: str) -> None:
    for name, text in sources(residual_graph(), schedule).files:
        assert max(map(len, text.splitlines())) <= WIDTH, name


def test_each_op_that_moves_something_is_one_step() -> None:
    build = GraphBuilder()
    x = build.conv(build.input((1, 4, 4, 2)), 3)
    build.softmax(build.reshape(x, 1, -1))
    generated = sources(build.graph())
    assert generated.steps == (0, 2)
    assert "const uint32_t model_step_count = 2;" in generated.text("model.c")


def test_weights_bytes_are_those_of_all_arrays() -> None:
    build = GraphBuilder()
    build.fully_connected(build.input((1, 10)), 3)
    # Weights 3 x 10, three biases, one multiplier and one shift for all channels.
    assert sources(build.graph()).weights_bytes == 30 + 12 + 4 + 1


def test_hostile_names_stay_within_comments_and_identifiers() -> None:
    graph = chain_graph()
    tensors = tuple(
        replace(tensor, name=HOSTILE[i % len(HOSTILE)]) for i, tensor in enumerate(graph.tensors)
    )
    hostile = replace(graph, name=HOSTILE[0], tensors=tensors)
    tame = sources(graph).text("model.c")
    text = sources(hostile).text("model.c")
    assert text.isascii()
    assert text.count("/*") == text.count("*/") == tame.count("*/")
    assert "??" not in text
    assert not re.search(r"\\$", text, re.MULTILINE)


def test_an_op_without_a_kernel_is_named() -> None:
    build = GraphBuilder("odd")
    build.transpose(build.input((2,) * 6), 5, 4, 3, 2, 1, 0)
    with pytest.raises(
        UnsupportedModelError, match=r"odd: op 0 \(TRANSPOSE 'transpose0_0'\): a te"
    ):
        sources(build.graph())


def test_identifiers_differ_and_are_identifiers() -> None:
    found = identifiers([*HOSTILE, *HOSTILE, "a/b;c", "a b", "x" * 60])
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,45}", name) for name in found)


def test_a_long_name_keeps_its_end() -> None:
    (name,) = identifiers(["model/" * 10 + "block_3/project"])
    assert name.endswith("model_block_3_project")


def test_comments_are_cut() -> None:
    assert comment_text("ab*/cd", 5) == "ab..."
    assert comment_text("ab*/cd") == "ab_/cd"


def test_the_lowest_integer_needs_a_name() -> None:
    assert integer(-(2**31)) == "INT32_MIN"
    assert integer(-7) == "-7"


@pytest.mark.parametrize(
    ("value", "text"), [(0.05, "0.05f"), (2.0, "2.0f"), (1e-20, "1e-20f"), (1 / 3, "0.33333334f")]
)
def test_floats_are_written_exactly(value: float, text: str) -> None:
    assert floating(value) == text
    assert np.float32(text[:-1]) == np.float32(value)


def test_long_arrays_of_bytes_are_strings() -> None:
    data = np.arange(-128, 128, dtype=np.int8)
    text = array("w", data, prefix="const ")
    octets = re.findall(r"\\(\d{3})", text)
    assert [int(o, 8) for o in octets] == [int(v) & 255 for v in data]
    assert "w[256]" in text


def test_wide_initialisers_are_broken() -> None:
    fields: Fields = {
        "pair": (1, 2),
        "long": tuple(range(60)),
        "inner": {"a": 1, "b": {"c": (2,) * 40}},
    }
    lines = initialiser(fields, lambda constant: constant.role)
    assert lines[0] == "    .pair = {1, 2},"
    assert max(map(len, lines)) <= WIDTH
    assert re.findall(r"\d+", lines[2])[0] == "0"


def test_equal_large_arrays_are_stored_once() -> None:
    weights = Weights()
    table = np.arange(256, dtype=np.uint8)
    assert weights.add("a", table) == "a"
    assert weights.add("b", table.copy()) == "a"
    assert weights.add("c", table.view(np.int8)) == "c"
    assert weights.size_bytes == 512


def test_structs_that_a_field_points_to_are_defined_before_it() -> None:
    rows = tuple[Fields, ...]({"first": first} for first in (0, 8))
    fields: Fields = {"inner": {"count": 2, "parts": Structs("parts", "part_t", rows)}}
    text = OpText(chain_graph(), {}, Weights(), 0)
    assert text.parameters("filters_t", "op", fields) == [
        "    static const part_t op_parts[2] = {",
        *("        {", "            .first = 0,", "        },"),
        *("        {", "            .first = 8,", "        },"),
        "    };",
        "    static const filters_t op = {",
        "        .inner = {.count = 2, .parts = op_parts},",
        "    };",
    ]
