"""The keyword library: benchmarks as steps of Robot Framework suites.

A suite runs with plain ``robot`` on QEMU, or with ``renode-test`` on Renode. Robot's log then tells
what was measured, and the records lie in the store as after ``bench run``. Keywords that judge look
at the record of the last Run Benchmark, and name figure and limit when they fail.
"""

from __future__ import annotations

from pathlib import Path

from robot.api import logger
from robot.api.deco import keyword, library

from harness import __version__
from harness.board.load import load_board
from harness.data import STORE
from harness.errors import BenchError
from harness.experiment.case import Case
from harness.experiment.fit import choose_plan, flash_limit
from harness.experiment.run import run_case
from harness.importer.tflite import read_tflite
from harness.kernels.kernel_set import kernels_of
from harness.models.catalog import find_model
from harness.passes.pipeline import run_passes
from harness.results.plan_point import plan_point
from harness.results.record import Record
from harness.results.store import read
from harness.units import format_count


@library(scope="SUITE", version=__version__, doc_format="ROBOT")
class BenchLibrary:
    """Measure what a quantized neural network costs on a microcontroller.

    = Example =

    | Run Benchmark | board=nucleo-f746zg | model=vww |
    | Outputs Should Be Bit Exact |
    | Instructions Should Not Exceed | 25 000 000 |
    | Sram Should Not Exceed | 64 000 |

    Figures are of one kind and never mixed: ``device=qemu`` and ``device=renode`` count
    instructions, which are neither cycles nor seconds.
    """

    def __init__(self, store: str = "") -> None:
        """``store`` is the folder that takes the records; the one of ``bench run`` by default."""
        self._store = Path(store) if store else STORE
        self._record: Record | None = None

    @keyword
    def run_benchmark(
        self,
        board: str,
        model: str,
        device: str = "auto",
        schedule: str = "auto",
        sram_limit: int | None = None,
        flash_limit: int | None = None,
        input_by_rows: bool = False,
        optimize: str = "cycles",
        repeat: int = 3,
        timeout_s: float = 600.0,
    ) -> Record:
        """Build, boot, measure and compare a model on a board; keep and return the record.

        Names are those of ``bench boards`` and ``bench models``, or paths. Fails when anything
        does, outputs that are not bit-exact included.
        """
        case = Case(
            board=board,
            model=model,
            device=device,
            schedule=schedule,
            sram_limit=sram_limit,
            flash_limit=flash_limit,
            input_by_rows=input_by_rows,
            optimize=optimize,
            repeat=repeat,
            timeout_s=timeout_s,
        )
        self._record = None
        try:
            outcome = run_case(case, store=self._store)
        except BenchError as error:
            raise _failure(error) from None
        if outcome.error is not None:
            raise _failure(outcome.error)
        self._record = outcome.record
        logger.info(_summary(outcome.record))
        for warning in outcome.record.warnings:
            logger.info(warning)
        return outcome.record

    @keyword
    def plan_model(self, model: str, board: str, schedule: str = "auto") -> int:
        """Plan a model for a board without building it; return the planned peak in bytes."""
        try:
            found, facts = find_model(model), load_board(board)
            kernels = kernels_of(facts, "cycles")
            made = choose_plan(
                run_passes(read_tflite(found.data, name=found.name)),
                schedule,
                kernels=kernels,
                board=facts,
                limit=None,
                flash=flash_limit(kernels, facts, None),
                input_by_rows=False,
                patch=None,
            )
        except BenchError as error:
            raise _failure(error) from None
        point = plan_point(made)
        logger.info(f"{found.name}, {point.schedule}: {point.planned_peak_bytes:,} B at most")
        return point.planned_peak_bytes

    @keyword
    def instructions_should_not_exceed(self, limit: str) -> None:
        """Fail when an inference executed more instructions than ``limit``."""
        latency = self._last().latency
        found = latency.instructions if latency else None
        if found is None:
            raise AssertionError("the last benchmark counted no instructions")
        _compare("instructions", found, _number(limit))

    @keyword
    def sram_should_not_exceed(self, limit: str) -> None:
        """Fail when the last benchmark took more SRAM than ``limit`` bytes, measured.

        Where the device cannot measure it, what the linker laid out counts.
        """
        sram = self._last().sram
        if sram is None:
            raise AssertionError("the last benchmark knows nothing of its SRAM")
        measured = sram.measured_peak_bytes
        _compare(
            "bytes of SRAM", sram.linked_bytes if measured is None else measured, _number(limit)
        )

    @keyword
    def outputs_should_be_bit_exact(self) -> None:
        """Fail unless all outputs of the last benchmark equalled the reference's, bit for bit."""
        correctness = self._last().correctness
        if correctness is None or not correctness.bit_exact:
            raise AssertionError("the outputs of the last benchmark are not bit-exact")

    @keyword
    def should_not_regress_against(self, baseline: str, allowed_percent: float = 0.0) -> None:
        """Fail when the last benchmark took more instructions or more SRAM than a record.

        ``baseline`` is a record of the same model, board, device and schedule; what may differ is
        ``allowed_percent``.
        """
        now, before = self._last(), _read(Path(baseline))
        for what, its, ours in zip(_NAMES, _names(before), _names(now), strict=True):
            if its != ours:
                raise AssertionError(f"{baseline} is of another {what}: {its}, this is of {ours}")
        share = 1 + allowed_percent / 100
        for what, old, new in zip(_FIGURES, _figures(before), _figures(now), strict=True):
            if old is None or new is None:
                raise AssertionError(f"{what} are not in both records")
            _compare(f"{what} against {baseline}", new, int(old * share))

    def _last(self) -> Record:
        if self._record is None:
            raise AssertionError("Run Benchmark comes first, and must pass")
        return self._record


_NAMES = ("model", "board", "device", "schedule")
_FIGURES = ("instructions", "bytes of SRAM")


def _names(record: Record) -> tuple[str, str, str, str]:
    """Return what two records must have in common to be compared, in the order of _NAMES."""
    return (
        record.model.sha256 if record.model else "",
        record.board.name if record.board else "",
        record.device.kind if record.device else "",
        record.case.schedule,
    )


def _figures(record: Record) -> tuple[int | None, int | None]:
    """Return what is compared, in the order of _FIGURES."""
    return (
        record.latency.instructions if record.latency else None,
        record.sram.measured_peak_bytes if record.sram else None,
    )


def _failure(error: BenchError) -> AssertionError:
    return AssertionError(f"{error.message} ({error.hint})" if error.hint else error.message)


def _number(text: str) -> int:
    """Return a count that may be written with spaces, commas or underscores between thousands."""
    digits = str(text).replace(" ", "").replace(",", "").replace("_", "")
    if not digits.isdigit():
        raise AssertionError(f"a limit is a whole number, not {text!r}")
    return int(digits)


def _compare(what: str, found: int, limit: int) -> None:
    if found > limit:
        raise AssertionError(f"{found:,} {what}, {found - limit:,} more than {limit:,}")
    logger.info(f"{found:,} {what}, at most {limit:,}")


def _read(path: Path) -> Record:
    try:
        return read(path)
    except BenchError as error:
        raise _failure(error) from None


def _summary(record: Record) -> str:
    latency, sram = record.latency, record.sram
    parts = [record.id]
    if latency and latency.instructions is not None:
        parts.append(f"{format_count(latency.instructions)} instructions")
    if sram and sram.measured_peak_bytes is not None:
        parts.append(f"{sram.measured_peak_bytes:,} B of SRAM")
    return ", ".join(parts)
