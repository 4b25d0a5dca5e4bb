"""What the loops of a depthwise convolution execute on ARMv7E-M, roughly, for the cost model.

A call goes part by part through the columns, and four channels at a time. Lines of these are
expanded once for all rows of the call; between bands, the last ones are moved to where the next
band begins. Then a core makes the rows of each channel in blocks of two to four columns: narrow
rows leave some of these empty, which a sum of multiply-accumulates does not see.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.kernels.armv7em.depthwise_geometry import GROUP, Geometry

_CHANNEL, _WORD, _LOWER, _ROUND = 95, 4.8, 120, 3
"""For each channel of a band: its constants and the call of a core; each word of weights; weights
once more for the lower rows; and for each output that is rounded as the reference does it."""

_BY_COLUMNS_CHANNEL, _BY_COLUMNS_WORD = 42, 2.4
"""The first two where a word is two columns."""

_LINE, _COLUMN, _KEPT, _FILLED = 15, 12.5, 2, 1.8
"""For each line that is expanded for four channels, each of its words, each word that is moved to
the next band, and each word that is filled with padding before."""

_BY_COLUMNS_LINE, _BY_COLUMNS_COLUMN, _HALF = 14, 12, 40
"""The first two where a word is two columns, and each word of which a border cuts off one."""

_PART = 300
"""For each part of the columns."""

_3X3_PART = 350
_3X3_GROUP, _3X3_LINE, _3X3_KEPT = 143, 32, 20
_3X3_ONE_ROW, _3X3_ONE_ROW_COLUMN = 80, 21
"""The same for 3x3 kernels: for four channels of a band, each line of theirs, and one that is kept;
and for four channels where a call makes one row, and each column that is expanded for it."""


@dataclass(frozen=True, slots=True)
class Lines:
    """How a call makes rows: from so many ``pairs`` of lines a row, with ``columns`` in a part.

    A ``band`` is that many pairs of lines, which are expanded at a time.
    """

    geometry: Geometry
    pairs: int
    columns: int
    band: int

    def instructions(self, rows: int, columns: int, *, in_batches: bool) -> float:
        """Return what the loops of a call execute for so many rows and columns."""
        parts = [self.columns] * (columns // self.columns)
        if columns % self.columns:
            parts.append(columns % self.columns)
        halves = self._halves * _HALF * rows * self.pairs * self._groups
        return halves + sum(self._part(rows, width, in_batches) for width in parts)

    def _part(self, rows: int, columns: int, in_batches: bool) -> float:
        g = self.geometry
        if g.is_3x3:
            return self._3x3_part(rows, columns, in_batches=in_batches)
        two_rows = in_batches and g.goes_by_pairs and g.window.stride[0] == 1
        pairs = -(-rows // 2) if two_rows else rows
        bands = -(-pairs // self.band)
        goes_on = g.goes_by_pairs and not g.is_by_columns
        lines = (pairs + self.pairs - 1 if goes_on else rows * self.pairs) * g.phases
        words = min(g.line_words(columns), -(-g.x[1] // g.spacing))
        line, column = _LINE, _COLUMN
        if g.is_by_columns:
            line, column = _BY_COLUMNS_LINE, _BY_COLUMNS_COLUMN
        expanded = lines * (line + column * words)
        kept = (bands - 1) * (self.pairs - 1) * g.phases * words * _KEPT * GROUP
        filled = (self.band + self.pairs - 1) * g.phases * g.line_words(columns) * _FILLED
        channels = g.y[2] * (bands * self._channel(rows, two_rows=two_rows))
        core = g.core_instructions(rows, columns, self.pairs, two_rows=two_rows)
        core += _ROUND * rows * columns * g.is_rounded
        return _PART + filled + self._groups * (expanded + kept) + channels + g.y[2] * core

    @property
    def _groups(self) -> int:
        return -(-self.geometry.x[2] // GROUP)

    @property
    def _halves(self) -> int:
        """Return the words of a line of which a border cuts off one of two columns."""
        if not self.geometry.is_by_columns:
            return 0
        left, width = self.geometry.window.padding.left, self.geometry.x[1]
        return left % 2 + (left + width) % 2

    def _3x3_part(self, rows: int, columns: int, *, in_batches: bool) -> float:
        """Return the same for a 3x3 kernel: lines once, then a core for four channels at a time."""
        g = self.geometry
        two_rows = in_batches and g.window.stride[0] == 1
        pairs = -(-rows // 2) if two_rows else rows
        bands = -(-pairs // self.band)
        words = min(g.line_words(columns), g.x[1])
        group = float(_3X3_ONE_ROW + _3X3_ONE_ROW_COLUMN * words)
        if in_batches:
            kept = (bands - 1) * (_3X3_KEPT + GROUP * words)
            group = bands * _3X3_GROUP + (pairs + 1) * (_3X3_LINE + _COLUMN * words) + kept
        filled = (self.band + 1) * g.line_words(columns) * _FILLED
        core = g.core_instructions(rows, columns, self.pairs, two_rows=two_rows, bands=bands)
        return _3X3_PART + filled + self._groups * group + g.y[2] * core

    def _channel(self, rows: int, *, two_rows: bool) -> float:
        """Return what comes before a core makes rows of a channel."""
        words = self.pairs * self.geometry.taps
        if self.geometry.is_by_columns:
            return _BY_COLUMNS_CHANNEL + _BY_COLUMNS_WORD * words
        return _CHANNEL + _WORD * words + (_LOWER if two_rows and rows > 1 else 0)


@dataclass(frozen=True, slots=True)
class RowOrBatch:
    """How calls make one row, and several."""

    row: Lines
    batch: Lines

    def instructions(self, rows: int, columns: int, *, in_batches: bool) -> float:
        """Return what the loops of a call execute for so many rows and columns."""
        made = self.batch if in_batches else self.row
        return made.instructions(rows, columns, in_batches=in_batches)
