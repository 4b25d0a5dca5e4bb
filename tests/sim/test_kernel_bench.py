"""``bench kernels``: any op that can stand alone, in every form, right and counted."""

from __future__ import annotations

import pytest

from harness.cli.kernels import Kind
from harness.models.one_op import OneOp
from tests.command import Bench


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(monkeypatch, capsys)


@pytest.mark.qemu
@pytest.mark.parametrize(
    "arguments",
    [
        "pointwise --shape 5x4x8 --out 6",
        "conv --shape 9x7x3 --out 5 --kernel 3x2 --stride 2 --form rows",
        "depthwise --shape 6x6x4 --kernel 5 --form inplace",
        "fully-connected --shape 33 --out 7 --activation none",
        "add --shape 3x3x8 --activation relu6 --form rows",
        "average-pool --shape 6x6x4 --kernel 3 --stride 3",
        "max-pool --shape 7x7x4 --stride 2",
        "softmax --shape 10",
    ],
)
def test_every_op_is_measured_and_right(bench: Bench, arguments: str) -> None:
    result = bench("kernels", *arguments.split(), "--json")
    assert result.code == 0, result.err
    variants = result.json["variants"]
    assert [v["is_chosen"] for v in variants] == [True] + [False] * (len(variants) - 1)
    assert variants[-1]["variant"] == "portable"
    for found in variants:
        assert found["is_bit_exact"]
        assert found["elements"] < found["instructions"] < 1000 * (found["macs"] or 1000)
        assert 0 < found["code_bytes"] < found["flash_bytes"] - found["weights_bytes"]


@pytest.mark.qemu
def test_a_variant_of_one_core_stands_beside_the_portable_one(bench: Bench) -> None:
    result = bench("kernels", "pointwise", "--shape", "8x8x16", "--out", 16, "--core", "cortex-m55")
    assert "mve (chosen)" in " ".join(result.out.split())
    assert "portable" in result.out
    chosen, portable = bench(
        "kernels", "pointwise", "--shape", "8x8x16", "--out", 16, "--core", "cortex-m55", "--json"
    ).json["variants"]
    assert chosen["instructions"] < portable["instructions"]


@pytest.mark.qemu
def test_cycles_are_estimated_where_that_is_asked_for(bench: Bench) -> None:
    pytest.importorskip("unicorn")
    asked = ("kernels", "pointwise", "--shape", "8x8x16", "--out", 16)
    assert "est. cycles" not in bench(*asked).out
    assert "estimated by Arm DDI 0439B, 3.3" in bench(*asked, "--estimate-cycles").out
    for found in bench(*asked, "--estimate-cycles", "--json").json["variants"]:
        least = found["estimated_cycles"] - found["open_cycles"]
        assert found["instructions"] < least < 2 * found["instructions"]
        assert found["open_cycles"] < found["instructions"] / 20


def test_the_command_names_all_ops_that_there_are() -> None:
    assert [kind.value for kind in Kind] == [op.value for op in OneOp]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("pointwise --shape 8x8x8", "pointwise needs --out"),
        ("add --shape 4x4x4 --out 2", "add has as many channels as its input; it takes no --out"),
        ("conv --shape 8x8 --out 3", "--shape of conv is HxWxC"),
        ("conv --shape 8x0x8 --out 3", "--shape 8x0x8 is not a shape"),
        ("conv --shape 8x8x8 --out 3 --kernel 1x2x3", "--kernel 1x2x3 is not a window"),
        ("pointwise --shape 8x8x8 --out 3 --kernel 2", "pointwise takes no --kernel"),
        ("add --shape 8x8x8 --stride 2", "add takes no --stride"),
        ("softmax --shape 10 --form rows", "SOFTMAX of this shape does not go row by row"),
        ("conv --shape 8x8x4 --out 4 --form inplace", "CONV_2D of this shape cannot overwrite"),
        ("softmax --shape 10 --core m4", "did you mean cortex-m4?"),
        (
            "softmax --shape 10 --core cortex-m7 --estimate-cycles",
            "no table of timings of cortex-m7",
        ),
    ],
)
def test_what_an_op_does_not_take_is_refused(bench: Bench, arguments: str, said: str) -> None:
    result = bench("kernels", *arguments.split())
    assert (result.code, result.out) == (2, "")
    assert said in result.err
