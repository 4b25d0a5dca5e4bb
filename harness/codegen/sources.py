"""Sources: the generated files of one model, as text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sources:
    """Generated files ``(name, text)``, sorted by name, and what they were generated from.

    ``steps`` names, for each entry of ``model_steps`` in the generated C, the position in
    ``graph.ops`` of the last op that the step executes.
    """

    files: tuple[tuple[str, str], ...]
    model_name: str
    model_sha256: str
    steps: tuple[int, ...]
    weights_bytes: int

    def text(self, name: str) -> str:
        """Return one file's text."""
        return dict(self.files)[name]
