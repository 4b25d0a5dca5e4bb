"""A limit of flash: the search within it against all paths, and what is said where none fits."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath

import pytest

import harness.schedule.limits as limits
from harness.board.schema import Core
from harness.comparison.subject import identity_of
from harness.data import data_dir
from harness.errors import DoesNotFitInFlashError
from harness.experiment.spec import SweepSpec, cases
from harness.ir import Graph
from harness.kernels.flash import Flash, code_of
from harness.kernels.kernel_set import PORTABLE, kernels_for
from harness.models.writer import write_tflite
from harness.schedule.choices import Choice
from harness.schedule.flash import FlashOf, estimated_flash
from harness.schedule.labels import FlashSearch
from harness.schedule.limits import FlashLimit
from harness.schedule.paths import Clashes, work_of
from harness.schedule.paths import Path as Chosen
from harness.schedule.plan import PatchSegment, Segment
from harness.schedule.search import pareto, plan
from harness.schedule.work import estimated_instructions
from tests.command import Bench
from tests.graphs import GraphBuilder
from tests.records import make_record

M4 = kernels_for(Core.CORTEX_M4, "cycles")
OPS = 6
PIECES = {"a": 40, "b": 90, "c": 10, "d": 200}


class MadeUp(FlashOf):
    """Segments that take what was made up; each choice is a patch stage with a grid of its own."""

    def __init__(self, seed: int) -> None:
        super().__init__(Graph("none", (), (), (), ()), M4)
        self._random = random.Random(seed)
        self._made: dict[Segment, Flash] = {}
        self.choices = sorted(self._choices(), key=lambda choice: (choice.first, choice.end))

    def segment(self, segment: Segment, room: int = 0) -> Flash:  # noqa: ARG002
        return self._made[segment]

    def _choices(self) -> Iterator[Choice]:
        runs = [(i, i + 1) for i in range(OPS)] * 2 + [(0, 3), (1, 3), (2, 5), (3, 6), (4, 6)]
        for number, (first, end) in enumerate(runs):
            segment = PatchSegment(first, end - 1, (number, 1))
            used = {name: PIECES[name] for name in PIECES if self._random.random() < 0.3}
            for name in used:
                self.users[name].add(self._random.randrange(first, end))
            self.sizes |= used
            self._made[segment] = Flash(self._random.randrange(0, 120, 4), 0, used)
            work, peak = self._random.randrange(20) * (end - first), self._random.randrange(9)
            yield Choice(first, end, peak, work, segment)


def paths(choices: Sequence[Choice], first: int = 0) -> Iterator[Chosen]:
    if first == OPS:
        yield ()
    for choice in choices:
        if choice.first == first:
            yield from ((choice, *rest) for rest in paths(choices, choice.end))


@pytest.mark.parametrize("seed", range(150))
def test_the_search_finds_the_best_of_all_paths(seed: int) -> None:
    made, clashes = MadeUp(seed), Clashes()
    pair = [c for c in made.choices if (c.first, c.end) in ((0, 1), (1, 2))]
    clashes.add((pair[0], pair[2]), 12)

    def fits(path: Chosen, peak: int) -> bool:
        meets = any(path[i : i + 2] == (pair[0], pair[2]) for i in range(len(path)))
        return max(c.peak_bytes for c in path) <= peak and (peak >= 12 or not meets)

    def taken(path: Chosen) -> int:
        return made.of(c.segment for c in path if c.segment).total_bytes

    for peak in (6, 8, 12):
        allowed = [path for path in paths(made.choices) if fits(path, peak)]
        search = FlashSearch(made, made.choices, OPS, clashes, peak)
        least = search.least()
        assert (least is None) == (not allowed)
        if least is None:
            continue
        fewest = min(map(taken, allowed))
        assert taken(least) == fewest
        assert search.cheapest(fewest - 1) is None
        for limit in (fewest, fewest + 60, fewest + 200):
            found = search.cheapest(limit)
            assert found in allowed
            assert taken(found) <= limit
            assert work_of(found) == min(work_of(p) for p in allowed if taken(p) <= limit)


def graph() -> Graph:
    build = GraphBuilder()
    x = build.conv(build.input((1, 16, 16, 4)), 16, (3, 3), stride=(2, 2))
    for kernel in (3, 5, 3):
        x = build.conv(build.depthwise(x, (kernel, kernel)), 16, (1, 1))
    build.softmax(build.fully_connected(build.mean(x), 10))
    return build.graph()


def test_a_limit_that_binds_costs_work_and_no_more_bytes() -> None:
    free = plan(graph(), "auto", kernels=M4)
    most = estimated_flash(free).total_bytes
    with pytest.raises(DoesNotFitInFlashError) as caught:
        plan(graph(), "auto", kernels=M4, flash=FlashLimit(1000, 0))
    least = int(caught.value.message.partition("is about ")[2].split()[0].replace(",", ""))
    assert least < most
    tight = plan(graph(), "auto", kernels=M4, flash=FlashLimit(least + 7000, 7000))
    assert estimated_flash(tight).total_bytes <= least
    assert estimated_instructions(tight) > estimated_instructions(free)
    front = pareto(graph(), M4, flash=FlashLimit(least + 100, 0))
    assert all(estimated_flash(found).total_bytes <= least + 100 for found in front)


def test_nothing_is_estimated_where_all_fits_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "estimated_flash", None)
    roomy = plan(graph(), "auto", kernels=M4, flash=FlashLimit(1 << 20, 9000))
    assert roomy.segments == plan(graph(), "auto", kernels=M4).segments


@pytest.mark.parametrize("schedule", ["layer", "inplace", "patch", "stream"])
def test_schedules_that_do_not_search_are_refused_too(schedule: str) -> None:
    with pytest.raises(DoesNotFitInFlashError, match=r"the least is about .* has the most weights"):
        plan(graph(), schedule, kernels=M4, flash=FlashLimit(8000, 7000))


def test_a_plan_little_above_the_flash_of_a_board_is_left_to_the_linker() -> None:
    with pytest.raises(DoesNotFitInFlashError):
        plan(graph(), "auto", kernels=M4, flash=FlashLimit(5000, 0, slack_bytes=100))
    assert plan(graph(), "auto", kernels=M4, flash=FlashLimit(5000, 0, slack_bytes=40_000))


def test_all_kernels_but_the_hosts_are_measured() -> None:
    for core in Core:
        for optimize in ("cycles", "instructions", "size"):
            assert code_of(kernels_for(core, optimize)) is not None
    assert code_of(PORTABLE) is None


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(monkeypatch, capsys)


@pytest.fixture
def model(tmp_path: FilePath) -> FilePath:
    path = tmp_path / "own.tflite"
    path.write_bytes(write_tflite(graph()))
    return path


def test_the_command_line_tells_what_is_estimated(bench: Bench, model: FilePath) -> None:
    point = bench("plan", model, "--flash-limit", 100_000, "--json").json["estimated_flash"]
    total = point.pop("total_bytes")
    assert sum(point.values()) == total < 100_000
    assert f"flash about {total:,} B" in bench("plan", model, "--flash-limit", 100_000).out
    assert bench("plan", model, "--json").json["estimated_flash"] is None


def test_what_fits_nowhere_ends_with_one(bench: Bench, model: FilePath, tmp_path: FilePath) -> None:
    board = ("--board", "nucleo-f446re")
    for command in (
        ("plan", model, *board),
        ("plan", model, *board, "--pareto"),
        ("run", "--model", model, *board, "--no-store"),
        ("compile", model, *board, "--out", tmp_path),
    ):
        refused = bench(*command, "--flash-limit", 9000)
        assert refused.code == 1
        assert "no plan of schedule auto fits into 9,000 B of flash; the least is" in refused.err
        assert "hint: try --optimize size; raise --flash-limit to" in refused.err
    small = tmp_path / "small.yaml"
    facts = (data_dir("boards") / "nucleo-f446re.yaml").read_text(encoding="utf-8")
    small.write_text(facts.replace("size_bytes: 0x8_0000", "size_bytes: 0x2000"), encoding="utf-8")
    refused = bench("plan", model, "--board", small)
    assert refused.code == 1
    assert "fits into 8,192 B of flash of nucleo-f446re" in refused.err
    assert "take a board with" in refused.err


def test_the_host_has_no_flash(bench: Bench, model: FilePath) -> None:
    command = ("run", "--model", model, "--board", "nucleo-f446re", "--device", "host")
    refused = bench(*command, "--flash-limit", 90_000, "--no-store")
    assert refused.code == 2
    assert "--flash-limit is of firmware, and the host runs none" in refused.err


def test_a_limit_is_part_of_a_case() -> None:
    spec = SweepSpec(
        name="flash", models=("kws",), boards=("nucleo-f446re",), flash_limits=(None, 60_000)
    )
    assert [case.flash_limit for case in cases(spec)] == [None, 60_000]
    part = make_record().case
    limited = identity_of(part.model_copy(update={"flash_limit": 60_000}))
    assert limited != identity_of(part)
    assert "60,000 B of flash" in str(limited)
