"""Every board of a lab runs a model, right and repeatably: ``BENCH_LAB=lab.yaml pytest tests/hil``.

``BENCH_LAB=sim`` tries the tests themselves, on the simulated desk.
"""

from __future__ import annotations

import os

import pytest

from harness.experiment.labs import is_simulated, open_lab
from harness.lab.open import LAB_VARIABLE
from tests.command import Bench

pytestmark = pytest.mark.hil

SPREAD_MAX = 0.001
"""Of cycles: interrupts are off, so only refresh and wait states of the bus are left."""


def places() -> list[tuple[str, str]]:
    """Return name and board of each place of the lab, none where no lab is named."""
    lab = os.environ.get(LAB_VARIABLE)
    if not lab:
        return []
    with open_lab(lab) as opened:
        return [(name, place.board) for name, place in opened.places.items()]


@pytest.mark.parametrize(("place", "board"), places())
def test_a_board_runs_a_model_right_and_repeatably(
    place: str, board: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = os.environ[LAB_VARIABLE]
    options = ("--device", f"hardware:{place}", "--lab", lab, "--repeat", "20", "--no-store")
    told = Bench(monkeypatch, capsys)("run", "--board", board, "--model", "kws", *options, "--json")
    assert told.code == 0, told.err
    record = told.json
    assert record["correctness"]["bit_exact"]
    latency = record["latency"]
    assert (latency["cycles"] is None) == is_simulated(lab)
    samples = latency["samples"]
    assert max(samples) - min(samples) <= SPREAD_MAX * min(samples)
    assert not any("measured at" in warning for warning in record["warnings"]), "its clock is off"
