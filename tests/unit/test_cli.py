"""The command line: names, exit codes, one JSON object on stdout, hints on stderr."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from harness.data import data_dir
from harness.errors import InputError
from harness.experiment.outputs import write_outputs
from harness.kernels import kernel_set
from harness.models.writer import write_tflite
from tests.command import Bench
from tests.graphs import GraphBuilder

COMMANDS = ("run", "plan", "compile", "boards", "models", "doctor", "kernels")


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(monkeypatch, capsys)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small network of the user's own, 8x8x2 to 4x4x3, planned for kernels without scratch."""
    monkeypatch.setattr(kernel_set, "kernels_for", lambda *_: kernel_set.PORTABLE)
    builder = GraphBuilder()
    x = builder.input((1, 8, 8, 2))
    path = tmp_path / "own.tflite"
    path.write_bytes(write_tflite(builder.graph(builder.conv(x, 3, (3, 3), stride=(2, 2)))))
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(bench: Bench, command: str) -> None:
    result = bench(command, "--help")
    assert result.code == 0
    assert "Usage: bench" in result.out


def test_the_version_is_printed(bench: Bench) -> None:
    assert bench("--version").out.startswith("bench ")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "--board", "nucleo-f746", "--model", "vww"], 2, "did you mean nucleo-f746zg"),
        (["run", "--board", "nucleo-f746zg", "--model", "vvw"], 2, "did you mean vww"),
        (["run", "--board", "nucleo-f746zg"], 2, "--model"),
        (["run", "--board", "nucleo-f746zg", "--model", "vww", "--device", "qemo"], 2, "qemu"),
        (["run", "--board", "nucleo-f746zg", "--model", "vww", "--device", "replay"], 2, "replay:"),
        (["run", "--board", "nucleo-f746zg", "--model", "vww", "--repeat", "0"], 2, "--repeat"),
        (["run", "--board", "nucleo-f746zg", "--model", "vww", "--schedule", "x"], 2, "--schedule"),
        (["run", "--board", "nucleo-f746zg", "--model", "vww", "--timeout", "inf"], 2, "--timeout"),
        (["nonsense"], 2, "nonsense"),
        (["plan", "none.tflite"], 1, "none.tflite"),
        (["plan", "none.tflite", "--schedule", "layer"], 1, "No such file"),
    ],
)
def test_what_cannot_be_is_refused_with_its_exit_code(
    bench: Bench, arguments: list[str], code: int, said: str
) -> None:
    result = bench(*arguments, *(["--no-store"] if arguments[0] == "run" else []))
    assert (result.code, result.out) == (code, "")
    assert said in result.err


def test_boards_and_models_are_listed(bench: Bench) -> None:
    assert "mps2-an500 (stand-in)" in " ".join(bench("boards").out.split())
    assert {"nucleo-f746zg", "nrf52840-dk"} <= {
        b["name"] for b in bench("boards", "--json").json["boards"]
    }
    assert "visual wake words" in bench("models").out
    assert "vww" in {m["name"] for m in bench("models", "--json").json["models"]}


def test_a_plan_is_told_in_words_and_in_numbers(bench: Bench, model: Path) -> None:
    assert "peak 176 B" in bench("plan", model).out
    point = bench("plan", model, "--json", "--schedule", "layer").json
    assert point["planned_peak_bytes"] == point["arena_bytes"] + point["scratch_bytes"] == 176
    assert point["macs"] == 4 * 4 * 3 * 3 * 3 * 2
    assert point["segments"] == [{"kind": "layer", "first_op": 0, "last_op": 0, "code_bytes": None}]
    assert point["recompute_ratio"] == 1.0
    assert point["input_resident"] is True


def test_the_graph_is_dumped_before_and_after_the_passes(bench: Bench, model: Path) -> None:
    assert "CONV_2D" in bench("plan", model, "--dump-ir").out
    assert "CONV_2D" in bench("plan", model, "--dump-ir", "--passes", "none").out


def test_passes_are_chosen_by_name_and_their_gain_is_told(bench: Bench, model: Path) -> None:
    for command in (("plan", model), ("run", "--board", "mps2-an386", "--model", model)):
        refused = bench(*command, "--passes", "fold-pad")
        assert refused.code == 2
        assert "did you mean fold-pads" in refused.err
    assert "as imported    1   864" in bench("plan", model).out
    point = bench("plan", model, "--json", "--passes", "none").json
    assert [p["name"] for p in point["passes"]] == ["fold-constants", "silence-channels"]
    assert point["imported"]["macs"] == point["passes"][-1]["left"]["macs"] == 864


def test_a_limit_that_no_plan_meets_says_how_much_is_missing(bench: Bench, model: Path) -> None:
    result = bench("plan", model, "--sram-limit", 100, "--schedule", "inplace")
    assert result.code == 1
    assert "needs 176 B" in result.err
    assert "76 B too much" in result.err
    assert "try --schedule auto --input-by-rows; raise" in result.err


def test_a_board_that_is_too_small_says_what_it_has(bench: Bench, tmp_path: Path) -> None:
    builder = GraphBuilder()
    x = builder.input((1, 400, 400, 2))
    model = tmp_path / "large.tflite"
    model.write_bytes(write_tflite(builder.graph(builder.conv(x, 2, (3, 3), stride=(2, 2)))))
    result = bench("run", "--model", model, "--board", "nrf52840-dk", "--no-store")
    assert result.code == 1
    assert "no plan of schedule auto fits into" in result.err
    assert "the least is 320" in result.err
    assert "nrf52840-dk has 262,144 B" in result.err
    assert "for the stack and" in result.err
    assert "hint: try --input-by-rows; or take a board with more SRAM" in result.err
    small = bench("plan", model, "--board", "nrf52840-dk", "--input-by-rows", "--json").json
    assert small["planned_peak_bytes"] < 262_144


def test_a_board_without_room_for_the_runtime_leaves_nothing(
    bench: Bench, model: Path, tmp_path: Path
) -> None:
    board = tmp_path / "tiny.yaml"
    source = Path(__file__).parents[2] / "boards" / "nucleo-f446re.yaml"
    facts = source.read_text(encoding="utf-8")
    board.write_text(facts.replace("size_bytes: 0x2_0000", "size_bytes: 0x1000"), encoding="utf-8")
    result = bench("plan", model, "--board", board)
    assert result.code == 1
    assert "fits into 0 B; the least is" in result.err


def test_a_limit_that_nothing_meets_says_the_least_possible(bench: Bench, model: Path) -> None:
    result = bench("plan", model, "--sram-limit", 100)
    assert result.code == 1
    assert "no plan of schedule auto fits into 100 B; the least is 140 B" in result.err


def test_auto_takes_what_fits(bench: Bench, model: Path) -> None:
    free = bench("plan", model, "--json").json
    tight = bench("plan", model, "--json", "--sram-limit", 150).json
    assert free["planned_peak_bytes"] == 176
    assert tight["planned_peak_bytes"] <= 150


def test_patches_are_set_by_hand(bench: Bench, model: Path) -> None:
    result = bench(
        *("plan", model, "--schedule", "patch", "--patch-ops", 1, "--patch-grid", "2x1", "--json")
    )
    assert result.json["segments"] == [
        {"kind": "patch", "first_op": 0, "last_op": 0, "code_bytes": None}
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--schedule", "patch", "--patch-ops", "1"], "go together"),
        (["--patch-ops", "1", "--patch-grid", "2"], "are of --schedule patch"),
        (["--schedule", "patch", "--patch-ops", "1", "--patch-grid", "0"], "as in 3 or 2x4"),
        (["--schedule", "patch", "--patch-ops", "1", "--patch-grid", "2x"], "as in 3 or 2x4"),
        (["--schedule", "layer", "--input-by-rows"], "needs the whole input"),
        (["--schedule", "layer", "--pareto"], "over all schedules"),
        (["--receptive-field", "--pareto"], "--receptive-field is of one plan"),
        (["--plot", "a.pdf"], "pictures are .svg, .png, .html"),
    ],
)
def test_schedule_options_that_make_no_sense_are_refused(
    bench: Bench, model: Path, arguments: list[str], said: str
) -> None:
    result = bench("plan", model, *arguments)
    assert result.code == 2
    assert said in result.err


def test_an_input_by_rows_is_not_resident(bench: Bench, model: Path) -> None:
    result = bench("plan", model, "--schedule", "stream", "--input-by-rows", "--json")
    assert result.json["input_resident"] is False
    assert result.json["planned_peak_bytes"] < 128
    assert (
        "stream, input by rows"
        in bench("plan", model, "--schedule", "stream", "--input-by-rows").out
    )


def test_the_front_is_a_list_by_rising_peak(bench: Bench, model: Path) -> None:
    points = bench("plan", model, "--pareto", "--json").json
    peaks = [point["planned_peak_bytes"] for point in points]
    work = [point["estimated_instructions"] for point in points]
    assert peaks == sorted(peaks)
    assert work == sorted(work, reverse=True)
    table = bench("plan", model, "--pareto", "--sram-limit", 150).out
    assert "140 B" in table
    assert "176 B" in table
    assert "above the limit" in table


def test_plans_are_drawn_side_by_side(bench: Bench, model: Path, tmp_path: Path) -> None:
    picture = tmp_path / "plans.html"
    assert bench("plan", model, "--plot", picture).code == 0
    for schedule in ("layer", "inplace", "patch", "stream", "auto"):
        assert f"{schedule}: 1" in picture.read_text()
    front = tmp_path / "front.svg"
    assert bench("plan", model, "--pareto", "--plot", front).code == 0
    assert "what less memory costs" in front.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (["--board", "no-such-board"], 2, "UsageError"),
        (["--schedule", "best"], 2, "UsageError"),
        (["--sram-limit", 100], 1, "DoesNotFitError"),
    ],
)
def test_a_failure_is_one_json_object_too(
    bench: Bench, model: Path, arguments: list[object], code: int, kind: str
) -> None:
    result = bench("plan", model, "--json", *arguments)
    assert result.code == result.json["error"]["exit_code"] == code
    assert result.json["error"]["type"] == kind
    assert result.json["error"]["message"] in result.err


def test_a_plan_that_is_too_large_is_printed_alone(bench: Bench, model: Path) -> None:
    result = bench("plan", model, "--json", "--schedule", "layer", "--sram-limit", 150)
    assert result.code == 1
    assert result.json["planned_peak_bytes"] > 150


def test_the_graph_is_printed_as_text_and_as_json(bench: Bench, model: Path) -> None:
    lines = bench("plan", model, "--dump-ir").out.splitlines()
    assert lines[0].startswith("graph 'own'")
    assert bench("plan", model, "--dump-ir", "--json").json == {"model": "own", "ir": lines}


def test_suffixes_of_pictures_are_of_any_case(bench: Bench, model: Path, tmp_path: Path) -> None:
    assert bench("plan", model, "--plot", tmp_path / "A.SVG").code == 0
    assert (tmp_path / "A.SVG").read_text(encoding="utf-8").startswith("<?xml")


def test_receptive_fields_are_in_the_json(bench: Bench) -> None:
    by_patches = ("plan", "vww", "--schedule", "patch", "--json")
    assert bench(*by_patches).json["receptive_fields"] is None
    (segment,) = bench(*by_patches, "--receptive-field").json["receptive_fields"]
    assert segment["segment"]["kind"] == "patch"
    assert segment["fields"][-1]["recompute_ratio"] == 1.0
    assert segment["recompute_ratio"] > segment["advice"][0]["recompute_ratio"]


def test_receptive_fields_are_reported(bench: Bench, model: Path) -> None:
    assert "no ops are fused" in bench("plan", model, "--receptive-field").out


def test_wrong_inputs_are_told_before_anything_is_built(
    bench: Bench, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    np.savez(tmp_path / "in.npz", input0=np.zeros((1, 9, 8, 2), np.int8))
    result = bench(
        *("run", "--board", "nucleo-f746zg", "--model", model, "--no-store"),
        *("--inputs", tmp_path / "in.npz"),
    )
    assert result.code == 1
    assert "[1, 9, 8, 2]" in result.err
    assert "[1, 8, 8, 2]" in result.err


def test_a_missing_compiler_is_told_with_the_way_to_get_it(
    bench: Bench, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    result = bench(
        "run", "--board", "nucleo-f746zg", "--model", model, "--json", "--store", tmp_path / "s"
    )
    assert result.code == 1
    assert "arm-none-eabi-gcc" in result.err
    assert "apt-get install" in result.err
    assert result.json["status"] == "failed"
    assert result.json["error"]["type"] == "ToolchainError"
    assert result.json["model"]["name"] == "own"
    assert [p.suffix for p in (tmp_path / "s").iterdir()] == [".json"]


def test_doctor_names_what_is_missing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    result = bench("doctor", "--json")
    states = {check["what"].split(" ")[0]: check["state"] for check in result.json["checks"]}
    assert result.code == 1
    assert states["arm-none-eabi-gcc"] == states["qemu-system-arm"] == "missing"
    assert states["cc"] == "optional"


def test_doctor_tells_what_pyocd_can_program(bench: Bench, tmp_path: Path) -> None:
    pytest.importorskip("pyocd")
    known = data_dir("boards") / "nucleo-h743zi.yaml"
    unknown = tmp_path / "own.yaml"
    unknown.write_text(re.sub("pyocd_target: .*", "pyocd_target: a_chip", known.read_text()))
    told = {
        str(board): check
        for board in (known, unknown)
        for check in bench("doctor", "--json", "--board", board).json["checks"]
        if check["what"].startswith("pyOCD's support")
    }
    assert told[str(known)]["state"] == "ok"
    assert "(builtin)" in told[str(known)]["found"]
    assert told[str(unknown)]["state"] == "optional"
    assert told[str(unknown)]["found"] == "a_chip needs its CMSIS-Pack"
    assert "pyocd pack install a_chip" in told[str(unknown)]["remedy"]


@pytest.mark.parametrize(("path", "said"), [("none/out.npz", "does not exist"), (".", "a folder")])
def test_outputs_are_not_asked_for_in_vain(
    bench: Bench, model: Path, tmp_path: Path, path: str, said: str
) -> None:
    result = bench(
        *("run", "--board", "nucleo-f746zg", "--model", model, "--no-store"),
        *("--save-outputs", tmp_path / path),
    )
    assert result.code == 1
    assert said in result.err


def test_outputs_that_cannot_be_written_are_told() -> None:
    with pytest.raises(InputError, match=r"--save-outputs /proc/out\.npz: No such file"):
        write_outputs(Path("/proc/out.npz"), [[np.zeros(1, np.int8)]], stacked=False)


def test_what_the_system_refuses_is_told_in_one_line(
    bench: Bench, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "model.c").mkdir(parents=True)
    result = bench("compile", model, "--board", "nucleo-f746zg", "--out", out, "--format", "c")
    assert result.code == 1
    assert result.err == f"error: {out / 'model.c'}: Is a directory\n"


def test_a_fault_of_our_own_shows_no_traceback_unless_asked() -> None:
    code = "from harness.cli import main as m; m.app.command('f')(lambda: 1 / 0); m.main()"
    said = {}
    for debug in ([], ["--debug"]):
        done = subprocess.run(
            [sys.executable, "-c", code, "f", *debug],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 1
        said[bool(debug)] = done.stderr
    assert said[False].startswith("error: ZeroDivisionError: division by zero\nhint: ")
    assert "Traceback" in said[True]


def test_the_command_line_is_imported_quickly() -> None:
    """Heavy packages wait until a command needs them; a time would depend on the machine."""
    code = "import harness.cli.main, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert not {"numpy", "pydantic", "yaml", "tflite", "PIL"} & set(loaded)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import harness.cli"], check=True, timeout=60)
    assert time.perf_counter() - began < 5.0
