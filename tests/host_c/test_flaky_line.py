"""The real runtime over a line that drops, flips, tears and stalls: right, or refused by name."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.devices.bad_line import Faults
from harness.experiment.measure import measure
from tools.flaky_line import Subject, attempt, plugged, prepare, table

pytestmark = pytest.mark.host_c

RUNS = 12


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return prepare("kws", tmp_path_factory.mktemp("flaky"))


def test_every_figure_is_right_or_refused(subject: Subject, tmp_path: Path) -> None:
    trials = [attempt(subject, tmp_path, seed, unplug=False) for seed in range(RUNS)]
    assert {trial.end for trial in trials} == {"right"}
    assert sum(trial.resends for trial in trials) > 0, "the line was flaky"
    assert max(trial.recovery_s for trial in trials) < 5.0


def test_breaks_cost_the_frames_that_they_cut_and_nothing_else(
    subject: Subject, tmp_path: Path
) -> None:
    trials = [attempt(subject, tmp_path, seed, unplug=False, cut=1e-3) for seed in range(6)]
    assert {trial.end for trial in trials} == {"right"}
    assert max(trial.recovery_s for trial in trials) < 5.0


def test_a_run_on_a_sound_line_costs_next_to_nothing_beside_flash_and_transfer(
    subject: Subject, tmp_path: Path
) -> None:
    """An upper bound: what the board itself takes is in it, which is milliseconds here."""
    with plugged(Faults(), tmp_path, 0) as (_, device):
        began = time.monotonic()
        measure(
            subject.case, subject.graph, subject.inputs, device, subject.firmware, lambda *_: None
        )
    assert time.monotonic() - began < 0.5


def test_a_run_goes_on_when_its_port_comes_back_under_another_name(
    subject: Subject, tmp_path: Path
) -> None:
    trials = [attempt(subject, tmp_path, seed, unplug=True) for seed in range(3)]
    assert all(trial.unplugged for trial in trials)
    assert {trial.end for trial in trials} == {"right"}
    assert max(trial.recovery_s for trial in trials) < 5.0
    assert "| right | 3 | 0 |" in table(trials, "kws")
