"""No network has blocks of zero weights that would be worth a test in the kernels' loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.importer.tflite import read_tflite
from harness.ir import Graph
from harness.ir.macs import op_macs
from harness.ir.ops import Conv2D, FullyConnected
from harness.ir.tensor import Array
from harness.passes.pipeline import run_passes

REFUSED = {"tflm_hello_world_float", "tflm_keyword_scrambled", "tflm_mnist_lstm_int8"}
WORTH_A_TEST = 0.01
"""A block of four MACs costs about three instructions; to look at each costs more than one."""


def zero_blocks(weights: Array) -> float:
    """Return which share of the blocks of 2 outputs x 2 inputs is zero."""
    rows = weights.reshape(len(weights), -1)
    rows = np.pad(rows, [(0, size % 2) for size in rows.shape])
    blocks = rows.reshape(rows.shape[0] // 2, 2, rows.shape[1] // 2, 2)
    return float((blocks == 0).all(axis=(1, 3)).mean())


def share_of_macs(graph: Graph) -> float:
    ops = [op for op in graph.ops if isinstance(op, Conv2D | FullyConnected)]
    macs = np.array([op_macs(graph, op) for op in ops])
    shares = np.array([zero_blocks(np.asarray(graph.tensor(op.inputs[1]).data)) for op in ops])
    return float(macs @ shares / macs.sum())


def test_blocks_are_counted() -> None:
    weights = np.ones((4, 4), np.int8)
    weights[:2, 2:] = 0
    assert zero_blocks(weights) == 0.25


@pytest.mark.models(without=REFUSED)
def test_zero_blocks_are_not_worth_a_test(model_path: Path) -> None:
    graph = run_passes(read_tflite(model_path.read_bytes(), name=model_path.stem))
    assert share_of_macs(graph) < WORTH_A_TEST
