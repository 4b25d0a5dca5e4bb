"""A session: what the host wants of a board, told in the requests of PROTOCOL.md.

The board's limits are handled here and nowhere else: uploads in chunks, more samples or steps
than one answer holds, and inputs that must be uploaded again before every inference because the
board has no room to keep them.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from harness.errors import CorruptStreamError, WrongFirmwareError
from harness.telemetry.board_state import BoardState
from harness.telemetry.capture import Capture
from harness.telemetry.console import Console, Memory
from harness.telemetry.link import AnswerT, Link, OnProgress, Patience, TooOftenDamagedError
from harness.telemetry.messages import (
    Adopt,
    AskBoard,
    AskHello,
    Hello,
    Load,
    Output,
    Paint,
    Place,
    Profile,
    Progress,
    Request,
    Run,
    Samples,
    Serve,
)

PATTERN = 0xA5
"""What SRAM is painted with first; the second time it is the inverse."""

_SHORT_BYTES = 256
"""Pieces begin with this size, are doubled after each that went well, and halved on a line that
damages them: the chance that one comes through falls exponentially with its length. Only what came
over the line decides, never time, so that a replay asks for the same pieces."""
_DAMAGES_MAX = 3


@dataclass(frozen=True, slots=True)
class SramUse:
    """What an inference touched, in bytes.

    ``stack_high_water`` includes ``stack_entry``, on which the harness itself stood when it
    called; both are 0 where the stack is not ours to paint.
    """

    arena_high_water: int
    arena_touched: int
    stack_high_water: int
    stack_entry: int


class Session:
    """A conversation with one board, begun by :meth:`hello`.

    All methods raise the DeviceErrors of :meth:`Link.ask`, each with the capture so far.
    """

    def __init__(
        self,
        console: Console,
        *,
        patience: Patience | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience = patience or Patience()
        self._link = Link(console, self._patience, now)
        self._hello: Hello | None = None
        self._inputs = b""
        self._piece_bytes = 0

    @property
    def capture(self) -> Capture:
        """All traffic so far."""
        return self._link.capture

    @property
    def trouble(self) -> str:
        """What the line has cost so far, in words; empty for a sound one."""
        if not self._link.asked_again and not self._link.damaged:
            return ""
        return f"{self._link.asked_again} asked again, {self._link.damaged} damaged"

    def hello(self, *, build_id: str, model_sha256: str) -> Hello:
        """Return what the board says of itself.

        Raises:
            WrongFirmwareError: it is not the image that was built, or carries another model.
        """
        hello = self._link.ask(AskHello(), silence_s=self._patience.hello_s)
        for what, expected, found in (
            ("model", model_sha256, hello.model_sha256),
            ("build", build_id, hello.build_id),
        ):
            if expected != found:
                raise WrongFirmwareError(
                    f"the board runs {what} {found[:16]}, this run is of {expected[:16]}",
                    hint="flash the board with the firmware of this run",
                    capture=self.capture.encode(),
                )
        self._hello = hello
        self._piece_bytes = min(_SHORT_BYTES, hello.chunk_bytes)
        return hello

    def board(self) -> BoardState:
        """Return what the board says of its core, its clock and its caches."""
        return self._link.ask(AskBoard())

    def load(
        self, inputs: Sequence[bytes], on_progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Upload the inputs; ``on_progress`` hears of bytes held and bytes in all."""
        self._inputs = b"".join(inputs)
        self._upload(on_progress)

    def serve(self, rows: bytes, *, grain: Fraction) -> None:
        """From now on hand out the input that the board asks for row by row.

        ``grain`` is the part that a tick is of the least by which two readings of the clock can
        differ: of an instruction on an emulator, else 1.
        """
        if len(rows) != self._board.fetched_bytes:
            raise self._corrupt(
                f"the board fetches {self._board.fetched_bytes} B of an input, "
                f"the model has {len(rows)} B"
            )
        self._link.serve(rows)
        self._link.ask(Serve(grain))

    def run(self, *, warmup: int, repeat: int, on_progress: OnProgress | None = None) -> Samples:
        """Return the ticks of ``repeat`` inferences after ``warmup`` uncounted ones."""
        total = warmup + repeat
        done = 0
        answers: list[Samples] = []
        for request in self._batches(warmup, repeat):
            self._refill()

            def report(part: Progress, before: int = done) -> None:
                if on_progress is not None:
                    on_progress(Progress(before + part.done, total, part.ticks))

            answers.append(self._link.ask(request, on_progress=report))
            done += request.warmup + request.repeat
        return _join(answers)

    def profile(self) -> Samples:
        """Return the ticks of each step of the model, as ``model_steps`` lists them."""
        answers: list[Samples] = []
        count = 0
        while count < self._board.step_count:
            self._refill()
            answer = self._link.ask(Profile(count))
            if not answer.ticks:
                raise self._corrupt(f"PROFILE: no step {count} of {self._board.step_count}")
            answers.append(answer)
            count += len(answer.ticks)
        return _join(answers)

    def sram(self) -> SramUse:
        """Return what an inference touches, from two painted ones.

        An inference writes the same bytes both times. So what holds the pattern after the first
        is untouched, or happens to be written so; and the latter holds the pattern, then the
        inverse of what was painted, after the second as well.
        """
        self._refill()
        first = self._link.ask(Paint(PATTERN))
        self._refill()
        second = self._link.ask(Paint(PATTERN ^ 0xFF))
        untouched = first.arena_pattern - second.arena_inverse
        if untouched != second.arena_pattern - first.arena_inverse:
            raise self._corrupt("PAINT: two inferences on one input left different bytes")
        return SramUse(
            arena_high_water=max(first.arena_high_water, second.arena_high_water),
            arena_touched=self._board.arena_bytes - untouched,
            stack_high_water=max(first.stack_high_water, second.stack_high_water),
            stack_entry=first.stack_entry,
        )

    def outputs(self, sizes: Sequence[int]) -> list[bytes]:
        """Return the outputs of the last inference, cut into ``sizes``."""
        total = self._board.output_bytes
        if sum(sizes) != total:
            raise self._corrupt(f"the board has {total} B of outputs, the model {sum(sizes)} B")
        data = b""
        while len(data) < total:
            data += self._ask_piece(len(data), total, Output)[1]
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
        return [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]

    @property
    def _board(self) -> Hello:
        assert self._hello is not None, "a session begins with hello()"
        return self._hello

    def _batches(self, warmup: int, repeat: int) -> list[Run]:
        """Return the requests whose answers together hold all samples."""
        if not self._board.is_staged:
            return [Run(1, 0)] * warmup + [Run(0, 1)] * repeat
        most = self._board.samples_max
        sizes = [min(most, repeat - first) for first in range(0, repeat, most)] or [0]
        return [Run(warmup if i == 0 else 0, size) for i, size in enumerate(sizes)]

    def _refill(self) -> None:
        """Upload the inputs again where the board cannot keep them."""
        if not self._board.is_staged:
            self._upload()

    def _upload(self, on_progress: Callable[[int, int], None] | None = None) -> None:
        total = len(self._inputs)
        if total != self._board.input_bytes:
            raise self._corrupt(
                f"the board takes {self._board.input_bytes} B of inputs, the model has {total} B"
            )
        if not total:
            return
        if (memory := self._link.memory) is not None:
            self._write(memory)
            return
        offset = 0
        while offset < total:
            size, held = self._ask_piece(
                offset, total, lambda at, size: Load(at, self._inputs[at : at + size])
            )
            offset += size
            if on_progress is not None:
                on_progress(held, total)

    def _ask_piece(
        self, offset: int, total: int, piece: Callable[[int, int], Request[AnswerT]]
    ) -> tuple[int, AnswerT]:
        """Return the size of the piece at ``offset`` that came through, and its answer.

        A LOAD or OUTPUT that is done twice does what it does once, so one may be given up for a
        shorter one whether the board heard it or not.
        """
        while True:
            size, damages = min(self._piece_bytes, total - offset), self._link.damages
            damages_max = _DAMAGES_MAX if size > _SHORT_BYTES else None
            try:
                answer = self._link.ask(piece(offset, size), damages_max=damages_max)
            except TooOftenDamagedError:
                self._piece_bytes = max(size // 2, _SHORT_BYTES)
                continue
            if self._link.damages == damages:
                self._piece_bytes = min(2 * self._piece_bytes, self._board.chunk_bytes)
            return size, answer

    def _write(self, memory: Memory) -> None:
        """Upload through the debug port."""
        offset = 0
        while offset < len(self._inputs):
            region = self._link.ask(Place(offset))
            with self._link.keeping_capture():
                memory.write(region.address, self._inputs[offset : offset + region.size])
            offset += region.size
        self._link.ask(Adopt(zlib.crc32(self._inputs)))

    def _corrupt(self, message: str) -> CorruptStreamError:
        return CorruptStreamError(message, capture=self.capture.encode())


def _join(answers: Sequence[Samples]) -> Samples:
    return Samples(
        ticks=tuple(ticks for answer in answers for ticks in answer.ticks),
        overhead_ticks=min((answer.overhead_ticks for answer in answers), default=0),
    )
