"""The report on kernels as Markdown: cores, classes of ops, flash, beside other engines' figures.

Instructions a MAC are of the MACs that are executed, where nothing else is said; other engines
execute all MACs of the file, so ratios with them are of whole inferences.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.comparison.published import Published
from harness.kernels.cost_data import COSTS
from harness.report.cost_table import cost_lines
from harness.timing.cortex_m4 import TABLE

M4 = "cortex-m4"
PEERS = ("TFLM + CMSIS-NN", "TinyEngine")
FLASH_ROOM = 40_960
"""What code and tables may take above the weights of the file: 40 KiB."""

_WEIGHTED = ("pointwise", "depthwise", "stem", "conv", "fully_connected")
_OTHERS = ("binary", "pool", "max_pool", "lookup", "move", "softmax", "dequantize")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a model is run with; ``timing`` is the table that a board counts cycles by, if any."""

    core: str
    optimize: str = "cycles"
    passes: str = "all"
    timing: str = ""

    @property
    def asked(self) -> tuple[str, ...]:
        """All of it, to tell settings apart."""
        return self.core, self.optimize, self.passes, self.timing


@dataclass(frozen=True, kw_only=True)
class CaseRow(Setting):
    """One case; figures are empty where ``why_not`` says why there are none.

    ``estimated_cycles``, give or take ``open_cycles``, are those of ``harness/timing``.
    """

    model: str
    imported_macs: int = 0
    imported_weights_bytes: int = 0
    macs: int = 0
    instructions: int | None = None
    code_bytes: int | None = None
    model_code_bytes: int | None = None
    weights_bytes: int | None = None
    flash_bytes: int | None = None
    measured_peak_bytes: int | None = None
    estimated_cycles: int | None = None
    open_cycles: int | None = None
    bit_exact: bool | None = None
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class OpRow(Setting):
    """All ops of one class in one case; ``code_bytes`` of class "shared" are of all of them."""

    model: str
    op: str
    count: int = 0
    macs: int = 0
    outputs: int = 0
    instructions: int = 0
    code_bytes: int = 0


def markdown(cases: Sequence[CaseRow], ops: Sequence[OpRow], peers: Published) -> str:
    """Return the report."""
    ran = [case for case in cases if case.bit_exact is not None]
    exact = sum(case.bit_exact is True for case in ran)
    intro = (
        f"{len({case.model for case in cases})} networks on every core, as "
        "`tools/kernels_report.py` last ran them on QEMU, schedule "
        f"`inplace`. {exact} of {len(ran)} cases that ran are bit-exact to the reference "
        "interpreter. Instructions are not cycles. All figures are in `kernels.csv` and `ops.csv`, "
        "other engines' with their sources in `reports/published/kernels.yaml`."
    )
    parts = [
        "# Kernels",
        textwrap.fill(intro, 100),
        *_section("Beside other engines on a Cortex-M4, million instructions", _beside(ran, peers)),
        *_section("Cores, million instructions and instructions a MAC", _by_core(ran)),
        *_section("Classes of ops, instructions a MAC: least to most of any network, and in all",
                  _by_class(ops, peers)),
        *_section("Networks on a Cortex-M4, instructions a MAC", _per_mac(ran, ops)),
        *_section("The other ops on a Cortex-M4, instructions an output", _per_output(ops)),
        *_section("What to optimize on a Cortex-M4", _by_optimization(ran)),
        *_section("Loops chosen by estimated cycles on a Cortex-M4", _by_timing(ran)),
        *_section("What removing constant channels gains on a Cortex-M4", _by_removal(ran)),
        *_section("Flash on a Cortex-M4, bytes", _flash(ran, ops)),
        *_section("Median error of the cost model", cost_lines(COSTS)),
        *_section("What did not run, or not right", _refused(cases)),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _section(title: str, lines: Iterable[str]) -> tuple[str, str]:
    return f"## {title}", "\n".join(lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|-|{'-:|' * (len(head) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _millions(count: float | None) -> str:
    return "" if count is None else f"{count / 1e6:,.3f}" if count < 1e8 else f"{count / 1e6:,.1f}"


def _ratio(part: float | None, whole: float | None) -> str:
    return f"{part / whole:.2f}" if part is not None and whole else ""


def _of(cases: Iterable[CaseRow], **wanted: str) -> dict[str, CaseRow]:
    """Return the cases of one setting by model."""
    setting = Setting(**({"core": M4} | wanted))
    return {case.model: case for case in cases if case.asked == setting.asked}


def _beside(ran: Sequence[CaseRow], peers: Published) -> Iterator[str]:
    ours, whole = _of(ran), _of(ran, passes="-remove-constant-channels")
    theirs = {
        (line.system, line.model): line.instructions_millions * 1e6
        for line in peers.lines
        if line.instructions_millions is not None
    }
    head = ["model", "MACs of the file", "executed", "ours", "with all channels"]
    rows, ratios = [], []
    for peer in PEERS:
        head += [peer, "ours / it"]
    for model, case in ours.items():
        if not any((peer, model) in theirs for peer in PEERS):
            continue
        kept = whole.get(model)
        row = [model, f"{case.imported_macs:,}", f"{case.macs:,}", _millions(case.instructions)]
        row.append(_millions(kept.instructions) if kept and kept.macs != case.macs else "")
        for peer in PEERS:
            count = theirs.get((peer, model))
            row += [_millions(count), _ratio(case.instructions, count)]
        if case.instructions and (first := theirs.get((PEERS[0], model))):
            ratios.append(case.instructions / first)
        rows.append(row)
    yield from _table(head, rows)
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        yield ""
        yield (
            f"Against {PEERS[0]}: geometric mean {mean:.2f}, at most {max(ratios):.2f}, over "
            f"{len(ratios)} networks."
        )
    notes = [line for line in peers.lines if line.note and line.system in PEERS]
    yield from (["", *(f"- {line.system} on {line.model}: {line.note}." for line in notes)])


def _by_core(ran: Sequence[CaseRow]) -> Iterator[str]:
    cores = list(dict.fromkeys(case.core for case in ran))
    by_core = {core: _of(ran, core=core) for core in cores}
    models = dict.fromkeys(case.model for case in ran)
    rows = []
    for model in models:
        row = [model]
        for core in cores:
            case = by_core[core].get(model)
            row += [_millions(case.instructions if case else None)]
            row += [_ratio(case.instructions, case.macs) if case else ""]
        rows.append(row)
    yield from _table(["model", *(part for core in cores for part in (core, "a MAC"))], rows)


def _by_class(ops: Sequence[OpRow], peers: Published) -> Iterator[str]:
    cores = list(dict.fromkeys(row.core for row in ops))
    rows = []
    for name in _WEIGHTED:
        row = [name]
        for core in cores:
            row.append(_spread([r for r in _usual(ops, core) if r.op == name]))
        for peer in PEERS:
            found = [line for line in peers.ops if (line.op, line.system) == (name, peer)]
            row.append(" to ".join(f"{v:g}" for v in found[0].instructions_a_mac) if found else "")
        rows.append(row)
    yield from _table(["op", *cores, *(f"{peer}, cortex-m4" for peer in PEERS)], rows)
    yield ""
    yield "A `stem` is a convolution of at most 4 channels; `conv` is any other larger than 1x1."


def _spread(rows: Sequence[OpRow]) -> str:
    each = [row.instructions / row.macs for row in rows if row.macs]
    if not each:
        return ""
    total = sum(row.instructions for row in rows) / sum(row.macs for row in rows)
    return f"{min(each):.2f} to {max(each):.2f}; {total:.2f}"


def _usual(ops: Sequence[OpRow], core: str) -> list[OpRow]:
    return [r for r in ops if r.asked == Setting(core=core).asked]


def _per_mac(ran: Sequence[CaseRow], ops: Sequence[OpRow]) -> Iterator[str]:
    rows = []
    for model, case in _of(ran).items():
        found = {row.op: row for row in _usual(ops, M4) if row.model == model}
        each = [found.get(name) for name in _WEIGHTED]
        costs = [_ratio(row.instructions, row.macs) if row else "" for row in each]
        rest = sum(row.instructions for name, row in found.items() if name not in _WEIGHTED)
        share = f"{rest / case.instructions:.1%}" if case.instructions else ""
        rows.append([model, *costs, _ratio(case.instructions, case.macs), share])
    yield from _table(["model", *_WEIGHTED, "in all", "other ops take"], rows)


def _per_output(ops: Sequence[OpRow]) -> Iterator[str]:
    rows = []
    for name in _OTHERS:
        found = [row for row in _usual(ops, M4) if row.op == name and row.outputs]
        if not found:
            continue
        each = [row.instructions / row.outputs for row in found]
        total = sum(row.instructions for row in found) / sum(row.outputs for row in found)
        rows.append([name, f"{min(each):.2f}", f"{max(each):.2f}", f"{total:.2f}"])
    yield from _table(["op", "least", "most", "in all"], rows)


def _by_optimization(ran: Sequence[CaseRow]) -> Iterator[str]:
    goals = ("cycles", "instructions", "size")
    found = {goal: _of(ran, optimize=goal) for goal in goals}
    rows = []
    for model in found["cycles"]:
        row = [model]
        for goal in goals:
            case = found[goal].get(model)
            row.append(_millions(case.instructions) if case else "")
            row.append(_estimate(case) if case else "")
            row.append(f"{case.model_code_bytes:,}" if case else "")
        rows.append(row)
    parts = ("estimated cycles", "code, bytes")
    yield from _table(["model", *(part for g in goals for part in (g, *parts))], rows)
    yield ""
    yield (
        "Instructions and estimated cycles are in millions. Cycles are estimated by "
        f"{TABLE}, not measured; ± is what that table leaves open. Code is that of the model and "
        "its kernels, with their tables, without the runtime."
    )


def _by_timing(ran: Sequence[CaseRow]) -> Iterator[str]:
    """Both choices of `--optimize cycles`: of a board without timings, and of one with them."""
    rows = []
    timed = _of(ran, timing=M4)
    for model, without in _of(ran).items():
        case = timed.get(model)
        if case is None:
            continue
        row = [model]
        for figure in ("instructions", "estimated_cycles"):
            pair = getattr(without, figure), getattr(case, figure)
            row += [*map(_millions, pair), _ratio(pair[1], pair[0])]
        if without.flash_bytes is not None and case.flash_bytes is not None:
            row += [f"{case.flash_bytes - without.flash_bytes:+,}"]
        rows.append(row)
    parts = ("by instructions", "by cycles", "ratio")
    head = [
        f"{figure}, {part}" for figure in ("instructions", "estimated cycles") for part in parts
    ]
    yield from _table(["model", *head, "flash, bytes"], rows)
    yield ""
    yield (
        "In millions. Where a board's YAML names a table of timings, `--optimize cycles` takes the "
        f"loop with fewer cycles by {TABLE}, op by op; where it names none, the one with fewer "
        "instructions."
    )


def _estimate(case: CaseRow) -> str:
    if case.estimated_cycles is None or case.open_cycles is None:
        return ""
    return f"{_millions(case.estimated_cycles)} ± {_millions(case.open_cycles)}"


def _by_removal(ran: Sequence[CaseRow]) -> Iterator[str]:
    head = ("model", "MACs", "without them", "instructions", "without them",
            "image, bytes", "without them")  # fmt: skip
    rows = []
    after = _of(ran)
    for model, before in _of(ran, passes="-remove-constant-channels").items():
        left = after.get(model)
        if left is not None and left.macs != before.macs:
            figures = ("macs", "instructions", "flash_bytes")
            pairs = [(getattr(before, name), getattr(left, name)) for name in figures]
            rows.append([model, *(f"{figure:,}" for pair in pairs for figure in pair)])
    yield from _table(head, rows)
    yield ""
    yield "Networks that are not here have none; `NOTES.md` says what else was tried."


def _flash(ran: Sequence[CaseRow], ops: Sequence[OpRow]) -> Iterator[str]:
    head = ("model", "weights of the file", "weights stored", "ops", "shared kernels, tables",
            "runtime", "image", "above the file's weights")  # fmt: skip
    rows = []
    above = []
    for model, case in _of(ran).items():
        if case.flash_bytes is None or case.model_code_bytes is None or case.code_bytes is None:
            continue
        found = [row for row in _usual(ops, M4) if row.model == model]
        shared = sum(row.code_bytes for row in found if row.op == "shared")
        more = case.flash_bytes - case.imported_weights_bytes
        above.append((more, model))
        rows.append([
            model,
            *(f"{figure:,}" for figure in (
                case.imported_weights_bytes,
                case.weights_bytes or 0,
                case.model_code_bytes - shared,
                shared,
                case.code_bytes - case.model_code_bytes,
                case.flash_bytes,
                more,
            )),
        ])  # fmt: skip
    yield from _table(head, rows)
    if above:
        beyond = sorted((more, model) for more, model in above if more > FLASH_ROOM)
        yield ""
        yield f"At most {FLASH_ROOM:,} B above the file's weights: " + (
            "all." if not beyond else f"all but {', '.join(model for _, model in beyond)}."
        )


def _refused(cases: Sequence[CaseRow]) -> Iterator[str]:
    reasons: dict[tuple[str, str], list[CaseRow]] = {}
    for case in cases:
        wrong = "outputs differ from the reference" if case.bit_exact is False else ""
        if reason := case.why_not or wrong:
            reasons.setdefault((case.model, reason), []).append(case)
    for (model, reason), found in reasons.items():
        yield f"- {model} ({', '.join(dict.fromkeys(case.core for case in found))}): {reason}"
    if not reasons:
        yield "Nothing: all cases ran."
