"""What kernels are made of: rescaling, and rows that lie in a ring."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.arithmetic import Multiplier
from harness.arithmetic.fixed_point import rescale_channels
from tests.host_c import native

pytestmark = pytest.mark.host_c

EDGES = (1 - 2**31, -(2**30), -(2**30) - 1, -1, 0, 1, 2**30 - 1, 2**30, 2**31 - 1)


def test_rescaling_rounds_twice_for_all_extremes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    triples = [
        (x, multiplier, shift)
        for x in EDGES
        for multiplier in EDGES
        for shift in (*range(-31, 31), -31, -1, 0)
    ]
    values = rng.integers(1 - 2**31, 2**31, (20_000, 3), np.int64)
    values[:, 0] >>= rng.integers(0, 31, len(values))
    values[:, 2] = rng.integers(-31, 31, len(values))
    given = np.concatenate([np.array(triples, np.int64), values])
    program = native.compile_c(tmp_path, [native.HERE / "requantize.c"])
    result = subprocess.run(
        [program], input=given.astype(np.int32).tobytes(), capture_output=True, check=False
    )
    assert result.returncode == 0, result.stderr.decode()
    found = np.frombuffer(result.stdout, np.int32)
    factors = tuple(Multiplier(int(m), int(s)) for _, m, s in given)
    np.testing.assert_array_equal(found, rescale_channels(given[:, 0], factors))


def test_rows_in_a_ring_give_what_the_whole_tensor_gives(tmp_path: Path) -> None:
    program = native.compile_c(tmp_path, [native.HERE / "rows.c"])
    result = subprocess.run([program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
