"""A gate's verdict as text, as JUnit XML, and as GitHub's summary and annotations.

JUnit: a test case a case, as GitHub, GitLab and Jenkins read it
(https://github.com/testmoapp/junitxml). Annotations: workflow commands
(https://docs.github.com/actions/reference/workflow-commands-for-github-actions).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree

from harness.comparison.gate import FAILING, Judged, OpChange, Outcome
from harness.comparison.history import Change
from harness.report.figures import NAMES, amount, percent

MOST_OPS = 3
MOST_STEPS = 5

_WORDS = {
    Outcome.BROKEN: "BROKEN",
    Outcome.MISSING: "MISSING",
    Outcome.REGRESSED: "REGRESSED",
    Outcome.INCOMPARABLE: "INCOMPARABLE",
    Outcome.UNDECIDED: "undecided",
    Outcome.IMPROVED: "improved",
    Outcome.NEW: "new",
    Outcome.SAME: "same",
}


def headline(judged: Sequence[Judged]) -> str:
    """Return the verdict in one line: ``2 regressed, 1 improved, 37 same``."""
    counts = Counter(case.outcome for case in judged)
    return ", ".join(f"{counts[o]} {o.value}" for o in Outcome if counts[o]) or "no cases"


def details(case: Judged) -> list[str]:
    """Return what is to be said of a case: its figures, the ops that did it, or the reason."""
    lines = [
        f"{NAMES[row.figure]} {amount(row.before, row.unit)} -> {amount(row.after, row.unit)} "
        f"({percent(row.ratio)}{_sureness(row.low, row.high, row.p_value)})"
        for row in case.rows
    ]
    grown = case.outcome is Outcome.REGRESSED
    ops = [op for op in case.ops if (op.delta > 0) == grown]
    lines += [_op(op) for op in ops[:MOST_OPS]]
    if len(ops) > MOST_OPS:
        lines.append(f"and {len(ops) - MOST_OPS} more ops")
    return lines or ([case.because] if case.because else [])


def _sureness(low: float, high: float, p_value: float | None) -> str:
    if p_value is None:
        return ""
    return f", {percent(low)} to {percent(high)}, p = {p_value:.2g}"


def _op(op: OpChange) -> str:
    share = f" ({percent(op.after / op.before)})" if op.before else ""
    return f"op {op.index} {op.kind} '{op.name}': {op.delta:+,} {op.unit}{share}"


def steps_text(steps: Sequence[Change]) -> list[str]:
    """Return the newest steps in the history of cases."""
    lines = [
        f"{step.identity}: {NAMES[step.figure]} {percent(step.ratio)} between "
        f"{_when(step.before.commit, step.before.created)} and "
        f"{_when(step.after.commit, step.after.created)}"
        for step in steps[:MOST_STEPS]
    ]
    return lines + ([f"and {len(steps) - MOST_STEPS} more"] if len(steps) > MOST_STEPS else [])


def _when(commit: str, created: str) -> str:
    return f"{commit[:9] or 'an unknown commit'} ({created[:10]})"


def verdict_text(judged: Sequence[Judged], steps: Sequence[Change]) -> str:
    """Return the whole verdict as plain text; what is the same is only counted."""
    lines = []
    for case in judged:
        if case.outcome is Outcome.SAME:
            continue
        lines.append(f"{_WORDS[case.outcome]} {case.identity}")
        lines += [f"    {line}" for line in details(case)]
    if steps:
        lines += ["steps in the history:", *(f"    {line}" for line in steps_text(steps))]
    return "\n".join([*lines, f"gate: {headline(judged)}"])


def junit_xml(judged: Sequence[Judged], name: str) -> str:
    """Return the verdict as JUnit XML: a failure a failing case, a skip an undecided one."""
    failures = sum(case.outcome in FAILING for case in judged)
    skipped = sum(case.outcome is Outcome.UNDECIDED for case in judged)
    counts = {"tests": len(judged), "failures": failures, "skipped": skipped, "errors": 0}
    attributes = {key: str(value) for key, value in counts.items()}
    suites = ElementTree.Element("testsuites", attributes)
    suite = ElementTree.SubElement(suites, "testsuite", {"name": name, **attributes})
    for case in judged:
        element = ElementTree.SubElement(
            suite, "testcase", {"classname": name, "name": str(case.identity)}
        )
        said = [_printable(line) for line in details(case)]
        if case.outcome in FAILING:
            message = f"{case.outcome.value}: {said[0] if said else ''}"
            kind = {"message": message, "type": case.outcome.value}
            ElementTree.SubElement(element, "failure", kind).text = "\n".join(said)
        elif case.outcome is Outcome.UNDECIDED:
            ElementTree.SubElement(element, "skipped", {"message": " ".join(said)})
        elif said:
            text = "\n".join([case.outcome.value, *said])
            ElementTree.SubElement(element, "system-out").text = text
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """Return text without what XML 1.0 cannot hold, such as a board's stray bytes."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def github_summary(judged: Sequence[Judged], steps: Sequence[Change]) -> str:
    """Return the verdict as Markdown for a job's summary."""
    lines = [f"## Gate: {headline(judged)}", ""]
    told = [case for case in judged if case.outcome is not Outcome.SAME]
    if told:
        lines += ["| case | verdict | what changed |", "|-|-|-|"]
        lines += [
            f"| {case.identity} | {_WORDS[case.outcome]} | "
            f"{'<br>'.join(_cell(line) for line in details(case))} |"
            for case in told
        ]
    if steps:
        lines += ["", "Steps in the history:", "", *(f"- {line}" for line in steps_text(steps))]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def github_annotations(judged: Sequence[Judged]) -> list[str]:
    """Return a workflow command a case that fails or improves, for GitHub to show."""
    levels = dict.fromkeys(FAILING, "error")
    levels |= {Outcome.UNDECIDED: "warning", Outcome.IMPROVED: "notice"}
    return [
        f"::{levels[case.outcome]} title={_property(f'{case.outcome.value} {case.identity}')}::"
        f"{_message('; '.join(details(case)))}"
        for case in judged
        if case.outcome in levels
    ]


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
