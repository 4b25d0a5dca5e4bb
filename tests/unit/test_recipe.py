"""Recipes give the architecture of the real models, and activations that use their range."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import UsageError
from harness.importer.tflite import read_tflite
from harness.ir import Graph
from harness.ir.macs import graph_macs, graph_parameters
from harness.ir.ops import Pad
from harness.models.catalog import Places, Weights, catalog, find_model
from harness.models.recipe import load_recipe, recipe_names
from harness.models.synthesis import synthesize
from harness.models.writer import write_tflite
from harness.reference.interpreter import interpret

WITH_RECIPE = [entry for entry in catalog().models if entry.recipe]

# From the papers and the files that mlcommons/tiny and mit-han-lab/mcunet publish.
MACS = {
    "kws": 2_656_768,
    "vww": 7_489_664,
    "ic": 12_501_632,
    "ad": 264_192,
    "mcunet-vww0": 5_958_400,
    "mcunet-in3": 81_785_520,
}


def built(name: str) -> Graph:
    return synthesize(load_recipe(name), name)


def structure(graph: Graph) -> Iterator[tuple[Any, ...]]:
    """Kind, shapes, window and activation of each op that does something."""
    for op in graph.ops:
        if isinstance(op, Pad) and not np.any(op.paddings):
            continue
        yield (
            op.kind,
            graph.tensor(op.inputs[0]).shape,
            graph.tensor(op.outputs[0]).shape,
            getattr(op, "window", None),
            getattr(op, "activation", None),
        )


def test_the_promised_recipes_are_there() -> None:
    assert recipe_names() == sorted(entry.name for entry in WITH_RECIPE)
    assert {*MACS, "mcunet-in2", "mcunet-mbv2-w035", "mcunet-proxyless-w03"} <= {*recipe_names()}


def test_unknown_recipe_proposes_near_names() -> None:
    with pytest.raises(UsageError, match="there is no recipe 'mcunet-in1'") as error:
        load_recipe("mcunet-in1")
    assert "mcunet-in" in error.value.hint


@pytest.mark.parametrize(("name", "macs"), MACS.items())
def test_work_is_that_of_the_published_model(name: str, macs: int) -> None:
    assert graph_macs(built(name)) == macs


def test_weights_are_the_same_everywhere() -> None:
    digest = hashlib.sha256()
    for tensor in built("kws").tensors:
        assert tensor.quantization is not None
        digest.update(np.array(tensor.quantization.scales).tobytes())
        digest.update(b"" if tensor.data is None else tensor.data.tobytes())
    assert digest.hexdigest()[:16] == "66c812163fa5ff6b"


@pytest.mark.parametrize("name", ["kws", "vww", "ic", "ad", "mcunet-vww0"])
def test_activations_use_their_range(name: str) -> None:
    graph = read_tflite(write_tflite(built(name)), name=name)
    shape = graph.tensor(graph.inputs[0]).shape
    noise = np.random.default_rng(5).integers(-128, 128, shape, dtype=np.int8)
    values = interpret(graph, [noise])
    for op in graph.ops:
        levels = values[op.outputs[0]].astype(int)
        assert np.ptp(levels) > 100, f"{op.kind} {graph.tensor(op.outputs[0]).name}"
        if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD"):
            assert np.mean(np.abs(levels) >= 127) < 0.7, "saturated"


def test_without_any_source_the_recipe_stands_in_and_says_so(tmp_path: Path) -> None:
    model = find_model("kws", offline=True, places=Places(None, tmp_path))
    assert model.weights is Weights.SYNTHETIC
    assert model.sha256 == hashlib.sha256(model.data).hexdigest() != catalog().entry("kws").sha256
    assert model.notes == (
        "no copy of mlperf_kws_ds_cnn.tflite can be had: BENCH_MODELS is not set; "
        "not in the cache; not downloaded: offline",
    )


@pytest.mark.models
@pytest.mark.parametrize("entry", WITH_RECIPE, ids=lambda entry: entry.name)
def test_structure_is_that_of_the_real_model(entry: Any, models_dir: Path) -> None:
    real = read_tflite((models_dir / entry.file).read_bytes(), name=entry.name)
    synthetic = read_tflite(write_tflite(built(entry.recipe)), name=entry.name)
    assert list(structure(synthetic)) == list(structure(real))
    assert graph_macs(synthetic) == graph_macs(real)
    assert graph_parameters(synthetic) == graph_parameters(real)
    for ours, theirs in zip(synthetic.inputs, real.inputs, strict=True):
        assert synthetic.tensor(ours).quantization == real.tensor(theirs).quantization
