"""Sweeps: every combination once, all faults of a specification at once, nothing lost or doubled.

Cases are not run here: a stand-in for ``run_one`` gives records.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

import harness.results as results
from harness.cli.sweeping import duration
from harness.errors import FactsError, StoreError, UsageError
from harness.experiment import sweep as sweep_module
from harness.experiment.case import Case
from harness.experiment.spec import SweepSpec, cases, load_spec
from harness.experiment.sweep import Done, Sweep, run_sweep
from harness.experiment.worker import Ran, run_one
from tests.command import Bench
from tests.records import make_record

SPEC = SweepSpec(
    name="six",
    models=("kws", "ad", "vww"),
    boards=("nucleo-f746zg",),
    schedules=("layer", "stream"),
)

Runner = Callable[[Case], Ran]


def pretend(case: Case) -> Ran:
    """Return a record of a case without running it."""
    record = make_record(model=case.model, board=case.board, schedule=case.schedule)
    record = record.model_copy(update={"id": os.urandom(8).hex()})
    return Ran(record.model_dump_json(), b"capture", took_s=0.0)


@contextmanager
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@contextmanager
def forks() -> Iterator[Executor]:
    """Processes that know what a test put in the place of ``run_one``."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        yield pool


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sweep]:
    def run(runner: Runner = pretend, *, spec: SweepSpec = SPEC, fresh: bool = False) -> Sweep:
        monkeypatch.setattr(sweep_module, "run_one", runner)
        return run_sweep(spec, store=tmp_path, workers=threads, at_once=2, fresh=fresh)

    return run


def ids(done: Sweep) -> list[str]:
    return [case.record.id for case in done.done]


def test_every_combination_is_a_case_once() -> None:
    spec = SPEC.model_copy(update={"sram_limits": (None, 9000), "optimize": ("cycles", "cycles")})
    wanted = [(c.model, c.schedule, c.sram_limit) for c in cases(spec)]
    assert wanted == [
        (model, schedule, limit)
        for model in ("kws", "ad", "vww")
        for schedule in ("layer", "stream")
        for limit in (None, 9000)
    ]


def test_passes_are_a_list_as_all_else_is() -> None:
    texts = ("all", "-remove-constant-channels")
    spec = SPEC.model_copy(update={"models": ("kws",), "schedules": ("layer",), "passes": texts})
    assert tuple(case.passes for case in cases(spec)) == texts


def test_a_sweep_goes_to_a_lab_beside_emulators() -> None:
    there = {"devices": ("qemu", "hardware:left"), "lab": "desk.yaml", "builder": "platformio"}
    spec = SPEC.model_copy(update={"models": ("kws",), "schedules": ("layer",), **there})
    wanted = [(case.device, case.lab, case.builder) for case in cases(spec)]
    assert wanted == [
        ("qemu", None, "platformio"),
        ("hardware:left", "desk.yaml", "platformio"),
    ]


def test_a_sweep_is_bounded() -> None:
    spec = SPEC.model_copy(update={"sram_limits": tuple(range(2000))})
    with pytest.raises(UsageError, match="six: 12,000 cases, a sweep has at most 10,000"):
        cases(spec)


def test_all_faults_of_a_specification_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: x\nmodels: [kwss, ad, wvw]\nboards: [nucleo-f746]\ndevices: [qemo]\n"
        "schedules: [steam]\noptimise: [size]\nrepeat: 0\npasses: [none, fold-pad]\n"
    )
    with pytest.raises(FactsError) as told:
        load_spec(path)
    said = dict(line.split(": ", 1) for line in told.value.message.splitlines())
    assert {where.rpartition(":")[2] for where in said} == {*"2345678"}
    for words in (
        "no model 'kwss' (did you mean kws",
        "no model 'wvw' (did you mean vww",
        "no board 'nucleo-f746' (did you mean nucleo-f746zg",
        "unknown device 'qemo' (did you mean qemu",
        "no schedule 'steam' (did you mean stream",
        "no pass is called 'fold-pad' (did you mean fold-pads",
        "optimise: is not a field that is known here; did you mean optimize",
        "repeat: input should be greater than or equal to 1, found 0",
    ):
        assert words in told.value.message


def test_a_model_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.tflite").write_bytes(b"")
    path = tmp_path / "s.yaml"
    path.write_text(f"name: x\nmodels: [{tmp_path}/own.tflite]\nboards: [nucleo-f746zg]\n")
    assert cases(load_spec(path))[0].model.endswith("own.tflite")
    path.write_text(f"name: x\nmodels: [{tmp_path}/none.tflite]\nboards: [nucleo-f746zg]\n")
    with pytest.raises(FactsError, match="there is no model"):
        load_spec(path)


def test_each_case_is_kept_with_its_sweep_and_number(
    sweep: Callable[..., Sweep], tmp_path: Path
) -> None:
    done = sweep()
    assert [case.number for case in done.done] == list(range(6))
    wanted = [(c.model, c.schedule) for c in cases(SPEC)]
    assert [(c.record.case.model, c.record.case.schedule) for c in done.done] == wanted
    frame = results.load(tmp_path)
    assert sorted(frame["id"]) == sorted(ids(done))
    assert set(frame["sweep"]) == {done.id}
    assert all(Path(c.record.capture or "").read_bytes() == b"capture" for c in done.done)


def test_an_interrupted_sweep_is_taken_up_again(
    sweep: Callable[..., Sweep], tmp_path: Path
) -> None:
    ran: list[Case] = []

    def until_interrupted(case: Case) -> Ran:
        if len(ran) == 4:
            raise KeyboardInterrupt
        ran.append(case)
        return pretend(case)

    with pytest.raises(KeyboardInterrupt):
        sweep(until_interrupted)
    kept = list(results.load(tmp_path)["id"])
    assert 0 < len(kept) <= 4
    done = sweep()
    assert done.resumed == len(kept)
    assert set(kept) <= set(ids(done))
    assert sorted(results.load(tmp_path)["id"]) == sorted(ids(done))
    assert [case.number for case in done.done] == list(range(6))


def test_a_complete_or_another_sweep_begins_anew(sweep: Callable[..., Sweep]) -> None:
    first = sweep()
    assert sweep().resumed == 0
    assert sweep().id != first.id
    assert sweep(spec=SPEC.model_copy(update={"repeat": 5})).resumed == 0


def test_fresh_and_changed_sources_do_not_resume(
    sweep: Callable[..., Sweep], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sweep()
    first.done[0].path.unlink()
    assert sweep(fresh=True).resumed == 0
    newest = max((tmp_path / "sweeps").iterdir())
    results_of_it = [case.path for case in first.done]
    assert all(path != newest for path in results_of_it)
    monkeypatch.setattr(sweep_module, "source_digest", lambda: "other")
    assert sweep().resumed == 0


def test_sources_that_change_while_a_sweep_runs_are_noticed(
    sweep: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not sweep().is_mixed
    digests = iter(("before", "after"))
    monkeypatch.setattr(sweep_module, "source_digest", lambda: next(digests))
    assert sweep().is_mixed


def test_a_damaged_sweep_is_named(sweep: Callable[..., Sweep], tmp_path: Path) -> None:
    sweep()
    (manifest,) = (tmp_path / "sweeps").iterdir()
    manifest.write_text("{")
    with pytest.raises(StoreError, match=r"is not a sweep") as told:
        sweep()
    assert told.value.hint == "delete it"


def die_of_ad(case: Case) -> Ran:
    if case.model == "ad":
        os._exit(1)
    return pretend(case)


def test_a_case_that_kills_its_process_is_recorded_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "run_one", die_of_ad)
    done = run_sweep(SPEC, store=tmp_path, workers=forks, at_once=2)
    status = {(c.record.case.model, c.record.status) for c in done.done}
    assert status == {("kws", "ok"), ("ad", "failed"), ("vww", "ok")}
    assert len(results.load(tmp_path)) == 6
    error = next(c.record.error for c in done.done if c.record.error is not None)
    assert "the process that ran this case died" in error.message
    assert error.exit_code == 3


def test_what_a_schedule_does_not_have_is_a_failed_record() -> None:
    ran = run_one(Case(board="nucleo-f746zg", model="kws", schedule="layer", input_by_rows=True))
    assert ran.record.status == "failed"
    assert ran.record.error is not None


def test_the_time_that_is_left_is_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int, float | None]] = []

    def progress(_done: Done, count: int, total: int, left_s: float | None) -> None:
        told.append((count, total, left_s))

    monkeypatch.setattr(sweep_module, "run_one", pretend)
    run_sweep(SPEC, store=tmp_path, workers=threads, at_once=2, progress=progress)
    assert [(count, total) for count, total, _ in told] == [(n, 6) for n in range(1, 7)]
    assert told[-1][2] == 0
    assert all(left is not None and left >= 0 for _, _, left in told)


@pytest.mark.parametrize(
    ("seconds", "said"), [(7.6, "8 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_are_said_as_people_do(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ({}, 0, ""),
        ({"exit_code": 1}, 0, ""),
        ({"exit_code": 3}, 3, "1 of 2 cases failed on their device"),
        ({"exit_code": 4}, 4, "outputs of 1 of 2 cases differ"),
    ],
)
def test_the_exit_code_tells_the_worst(
    fault: dict[str, int],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(case: Case) -> Ran:
        ran = pretend(case)
        if not fault or case.schedule != "stream":
            return ran
        document = json.loads(ran.record_json)
        document["error"] = {"type": "E", "message": "because", "hint": "", **fault}
        return Ran(json.dumps(document | {"status": "failed"}), b"", 0.0)

    monkeypatch.setattr(sweep_module, "run_one", run)
    monkeypatch.setattr("harness.cli.sweeping.processes", lambda _: threads)
    spec = tmp_path / "s.yaml"
    spec.write_text("name: x\nmodels: [kws]\nboards: [nucleo-f746zg]\nschedules: [layer, stream]\n")
    bench = Bench(monkeypatch, capsys)
    result = bench("sweep", spec, "--store", tmp_path / "s", "--json")
    assert result.code == code, result.err
    assert said in result.err
    assert result.json["cases"] == 2
    assert result.json["failed"] == (1 if fault else 0)
    assert "[2/2]" in result.err
    table = bench("sweep", spec, "--store", tmp_path / "t")
    assert "stream" in table.out
    assert ("failed: kws on nucleo-f746zg, qemu, stream: because" in table.out) is bool(fault)


def test_a_sweep_that_measured_nothing_is_exit_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(case: Case) -> Ran:
        return run_one(Case(model=case.model, board=case.board, sram_limit=1, schedule="layer"))

    monkeypatch.setattr(sweep_module, "run_one", run)
    monkeypatch.setattr("harness.cli.sweeping.processes", lambda _: threads)
    spec = tmp_path / "s.yaml"
    spec.write_text("name: x\nmodels: [kws]\nboards: [nucleo-f746zg]\n")
    result = Bench(monkeypatch, capsys)("sweep", spec, "--store", tmp_path / "s")
    assert result.code == 5
    assert "none of 1 cases measured anything" in result.err
