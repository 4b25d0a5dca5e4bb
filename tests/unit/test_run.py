"""What a run does besides measuring: it ends in time, names its record, survives its store."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BenchError, NoAnswerError, StoreError
from harness.experiment import run as run_module
from harness.experiment.case import Case
from harness.experiment.deadline import DeadlineConsole
from harness.experiment.parts import segments_with_code
from harness.experiment.run import run_case
from harness.models.writer import write_tflite
from harness.results.record import SegmentPart
from harness.results.store import read
from harness.toolchain.footprint import Symbol
from tests.graphs import GraphBuilder

BOARD = "nucleo-f746zg"


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A case that gets as far as the compiler, which is missing."""
    monkeypatch.setenv("PATH", "")
    builder = GraphBuilder()
    path = tmp_path / "own.tflite"
    path.write_bytes(write_tflite(builder.graph(builder.softmax(builder.input((1, 4))))))
    return Case(board=BOARD, model=str(path))


class Chatty:
    """A console that says something every second of a clock of its own."""

    memory = None

    def __init__(self) -> None:
        self.time_s = 0.0
        self.waits_s: list[float] = []

    def now(self) -> float:
        return self.time_s

    def read(self, timeout_s: float) -> bytes:
        self.waits_s.append(timeout_s)
        self.time_s += min(timeout_s, 1.0)
        return b"!"

    def write(self, _data: bytes) -> None:
        self.time_s += 1.0


def test_a_board_that_goes_on_and_on_is_cut_off() -> None:
    board = Chatty()
    console = DeadlineConsole(board, 3.5, now=board.now)
    console.write(b"?")
    assert [console.read(2.0) for _ in range(3)] == [b"!"] * 3
    assert board.waits_s == [2.0, 1.5, 0.5]
    for use in (lambda: console.read(1.0), lambda: console.write(b"?")):
        with pytest.raises(NoAnswerError, match=r"more than the 3\.5 s") as caught:
            use()
        assert "--timeout" in caught.value.hint


def test_a_store_that_cannot_be_written_is_told_before_anything_is_built(
    case: Case, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="file: cannot write"):
        run_case(case, store=tmp_path / "file")


def test_a_store_that_fails_at_the_end_leaves_the_record_in_hand(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Path:
        raise StoreError("disk full")

    monkeypatch.setattr(run_module, "append", full)
    outcome = run_case(case, store=tmp_path / "store")
    assert outcome.path is None
    assert outcome.record.model is not None
    assert outcome.error is not None
    assert "arm-none-eabi-gcc" in outcome.error.message  # the first failure is the one to tell


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("plain", "-plain-"),
        ('mö del$(x) "q"', "-mö-del-x-q-"),
        ("a" * 200, f"-{'a' * 40}-"),
        (".", "-unnamed-"),
        ("bad\udcff", "-bad-"),
    ],
)
def test_a_record_is_named_so_that_every_system_takes_it(
    case: Case, tmp_path: Path, name: str, part: str
) -> None:
    path = tmp_path / f"{name}.tflite"
    Path(case.model).rename(path)
    outcome = run_case(Case(board=BOARD, model=str(path)), store=tmp_path / "store")
    assert isinstance(outcome.error, BenchError)
    assert outcome.path is not None
    assert part in outcome.path.name
    assert read(outcome.path) == outcome.record


def test_a_missing_model_is_recorded_under_its_name(tmp_path: Path) -> None:
    outcome = run_case(Case(board=BOARD, model="none.tflite", device="host"), store=tmp_path)
    assert outcome.path is not None
    assert f"-none-{BOARD}-host-" in outcome.path.name


def test_segments_are_told_with_the_code_that_is_theirs_alone() -> None:
    parts = (
        SegmentPart(kind="stream", first_op=0, last_op=1),
        SegmentPart(kind="layer", first_op=2, last_op=2),
        SegmentPart(kind="alias", first_op=3, last_op=3),
        SegmentPart(kind="layer", first_op=12, last_op=12),
    )
    sizes = {
        "segment_0_op_0_row": 100, "segment_0_conv1": 20, "op_2_conv2": 30, "op_2_conv2.part.0": 4,
        "op_12_conv12": 500, "conv_pointwise": 7000, "model_invoke": 80,
    }  # fmt: skip
    told = segments_with_code(parts, [Symbol(name, 0, size) for name, size in sizes.items()])
    assert [part.code_bytes for part in told] == [120, 34, 0, 500]
