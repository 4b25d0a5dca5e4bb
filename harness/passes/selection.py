"""Which passes run, as ``--passes`` says it.

The text is read from left to right: ``all`` takes every pass, ``none`` leaves none, ``NAME`` adds
one and ``-NAME`` takes one away. A text that begins with ``-NAME`` starts from all. Passes without
which a model could not run at all are always taken.
"""

from __future__ import annotations

from harness.errors import UsageError, near_names
from harness.passes.pipeline import PASSES


def select_passes(text: str) -> tuple[str, ...]:
    """Return the names of the passes that a text selects, in the order in which they run.

    Raises:
        UsageError: a name that no pass has.
    """
    known = [p.name for p in PASSES]
    words = [word.strip() for word in text.split(",")]
    chosen = {*known} if words[0].startswith("-") else set()
    for word in words:
        name = word.removeprefix("-")
        if word == "all":
            chosen = {*known}
        elif word == "none":
            chosen = set()
        elif name not in known:
            hint = near_names(name, [*known, "all", "none"])
            raise UsageError(f"--passes: no pass is called '{name}'", hint=hint)
        elif word == name:
            chosen.add(name)
        else:
            chosen.discard(name)
    return tuple(p.name for p in PASSES if p.is_required or p.name in chosen)
