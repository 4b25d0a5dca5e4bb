"""The generated C of one small model, as text that people read."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.codegen.model_c import generate
from harness.schedule.search import plan
from tests.golden.compare import assert_golden
from tests.graphs import chain_graph
from tests.host_c.native import HOST

FOLDER = Path(__file__).parent / "chain"


@pytest.mark.parametrize("name", ["model.c", "model_map.h", "weights.c", "weights.h"])
def test_generated_c_is_what_was_read(name: str) -> None:
    sources = generate(plan(chain_graph(), "inplace"), target=HOST)
    assert_golden(FOLDER / name, sources.text(name))
