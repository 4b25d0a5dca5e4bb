"""One request until its answer: ask, wait a bounded time, ask again (PROTOCOL.md, "Sessions").

Every request may be sent again under its number, so one loop handles all trouble of a line: lost,
damaged and late frames end in a resend; a silent, resetting or flooding board ends in an error
that carries the capture. Time is injected; nothing here sleeps.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from harness.errors import CorruptStreamError, DeviceError, FirmwareFaultError, NoAnswerError
from harness.telemetry.capture import Capture, Recorder
from harness.telemetry.console import Console, Memory
from harness.telemetry.fault import Fault
from harness.telemetry.frames import Decoder, Frame, encode
from harness.telemetry.messages import (
    ANSWER,
    CRC_BYTES,
    ROW,
    EventType,
    Progress,
    Request,
    Want,
)
from harness.telemetry.refusal import ERROR, Refusal

AnswerT = TypeVar("AnswerT")
OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what.

    ``hello_s`` and ``silence_s`` bound a wait without any progress. A request goes out again after
    ``resend_s``, or after three times what the line took for so many bytes before, at most
    ``resend_long_s``; after ``resend_damaged_s`` if what came meanwhile was damaged, since that may
    have been its answer; and while the board is known to run inferences after twice what its
    slowest answer took, at most ``resend_busy_s``.
    """

    hello_s: float = 10.0
    silence_s: float = 60.0
    resend_s: float = 0.5
    resend_long_s: float = 4.0
    resend_damaged_s: float = 0.05
    resend_busy_s: float = 10.0
    useless_bytes_max: int = 1 << 22


_LONG_BYTES = 200
"""From here on the time until an answer is the line's rather than the board's."""


class TooOftenDamagedError(Exception):
    """What was asked for would come through better in shorter frames."""


@dataclass(slots=True)
class _Wait:
    """The state of one wait: until when, when to send again, and what came meanwhile.

    ``want`` is the number of the last row that was asked for; ``heard_at`` is when the board last
    got further, or when the wait began. ``damages_before`` it is how many there were by then.
    """

    deadline: float
    resend_at: float
    resend_s: float
    heard_at: float
    damages_before: int
    sent_at: float | None = None
    done: int = -1
    want: int = -1
    useless_bytes: int = 0


class Link:
    """A console on which requests are answered.

    ``asked_again`` counts what was sent once more, ``damages`` what either side could not read.
    """

    def __init__(self, console: Console, patience: Patience, now: Callable[[], float]) -> None:
        self._recorder = Recorder(console, now)
        self._patience = patience
        self._now = now
        self._decoder = Decoder()
        self._sequence = 0
        self._expects_boot = True
        self._rows = b""
        self._slowest_s = 0.0
        self._byte_s = 0.0
        self.asked_again = 0
        self.damages = 0

    @property
    def capture(self) -> Capture:
        """All traffic so far."""
        return self._recorder.capture

    @property
    def memory(self) -> Memory | None:
        """The board's memory, where a debug port reaches it."""
        return self._recorder.memory

    @property
    def damaged(self) -> int:
        """How many runs of bytes from the board were no frame."""
        return self._decoder.damaged

    def serve(self, rows: bytes) -> None:
        """From now on answer each WANT from these bytes."""
        self._rows = rows

    def ask(
        self,
        request: Request[AnswerT],
        *,
        silence_s: float | None = None,
        on_progress: OnProgress | None = None,
        damages_max: int | None = None,
    ) -> AnswerT:
        """Return the answer to a request.

        ``damages_max`` is for one that may be done though its answer is not heard, and that can be
        put in another way: in shorter frames.

        Raises:
            TooOftenDamagedError: the line was damaged ``damages_max`` times meanwhile.
            NoAnswerError: nothing came in time.
            CorruptStreamError: what came was no answer, however often it was asked for.
            FirmwareFaultError: the board refused, faulted or reset itself.
        """
        silence_s = silence_s or self._patience.silence_s
        self._sequence = (self._sequence + 1) % 256
        with self.keeping_capture():
            answer = self._converse(request, silence_s, on_progress, damages_max)
        self._expects_boot = False
        return answer

    @contextmanager
    def keeping_capture(self) -> Iterator[None]:
        """Attach the capture to any DeviceError that passes."""
        try:
            yield
        except DeviceError as error:
            error.capture = error.capture or self.capture.encode()
            raise

    def _converse(
        self,
        request: Request[AnswerT],
        silence_s: float,
        on_progress: OnProgress | None,
        damages_max: int | None,
    ) -> AnswerT:
        frame = encode(Frame(request.TYPE, self._sequence, request.payload()))
        now = self._now()
        damaged_before = self._decoder.damaged
        wait = _Wait(
            deadline=now + silence_s,
            resend_at=now,
            resend_s=self._resend_s(len(frame)),
            heard_at=now,
            damages_before=self.damages,
        )
        while self._now() < wait.deadline:
            if damages_max is not None and self.damages - wait.damages_before >= damages_max:
                raise TooOftenDamagedError
            if self._now() >= wait.resend_at:
                self.asked_again += wait.sent_at is not None
                self._recorder.write(frame)
                wait.sent_at = self._now()
                wait.resend_at = wait.sent_at + wait.resend_s
            until = min(wait.resend_at, wait.deadline)
            data = self._recorder.read(max(until - self._now(), 0.0))
            wait.useless_bytes += len(data)
            for received in self._hear_frames(data, wait):
                if received.type in set(EventType):
                    news = self._hear(received, request, wait)
                    if news is not None:
                        self._note_pace(wait)
                        wait.deadline = wait.heard_at + silence_s
                        wait.useless_bytes = 0
                    if isinstance(news, Progress) and on_progress is not None:
                        on_progress(news)
                elif received.sequence == self._sequence and _is_about(received, request):
                    if len(frame) >= _LONG_BYTES and self.damages == wait.damages_before:
                        self._byte_s = (self._now() - now) / len(frame)
                    self._note_pace(wait)
                    return _read_answer(received, request)
            if wait.useless_bytes > self._patience.useless_bytes_max:
                break
        damaged = self._decoder.damaged - damaged_before
        raise _no_answer(_name(request), silence_s, wait, damaged)

    def _hear_frames(self, data: bytes, wait: _Wait) -> list[Frame]:
        """Return the frames that bytes complete; if any were damaged, ask again soon."""
        damaged = self._decoder.damaged
        frames = self._decoder.feed(data)
        self.damages += self._decoder.damaged - damaged
        if self._decoder.damaged > damaged:
            sent_at = self._now() if wait.sent_at is None else wait.sent_at
            soon = max(sent_at + self._patience.resend_damaged_s, self._now())
            wait.resend_at = min(wait.resend_at, soon)
        return frames

    def _note_pace(self, wait: _Wait) -> None:
        self._slowest_s = max(self._slowest_s, self._now() - wait.heard_at)
        wait.heard_at = self._now()

    def _resend_s(self, size: int) -> float:
        """After how long a frame of this size is sent again, if nothing is heard."""
        patience = self._patience
        return min(max(3 * size * self._byte_s, patience.resend_s), patience.resend_long_s)

    @property
    def _resend_busy_s(self) -> float:
        """After how long a board that is running inferences is asked again."""
        patience = self._patience
        return min(max(2 * self._slowest_s, patience.resend_s), patience.resend_busy_s)

    def _hear(self, event: Frame, request: Request[AnswerT], wait: _Wait) -> Progress | Want | None:
        """Take an event; returns it if the board got further."""
        match EventType(event.type):
            case EventType.DAMAGED:
                self.damages += 1
                wait.resend_at = self._now()
            case EventType.FAULT:
                fault = Fault.parse(event.payload)
                raise FirmwareFaultError(f"the firmware stopped: {fault.text()}", hint=fault.hint())
            case EventType.BOOT if not self._expects_boot:
                raise FirmwareFaultError(
                    f"the board reset itself during {_name(request)}",
                    hint="a watchdog, a brown-out, or a port that resets the board when opened",
                )
            case EventType.PROGRESS:
                progress = Progress.parse(event.payload)
                if progress.done > wait.done:
                    # While it infers the board hears nothing; after the last its answer is due.
                    is_last = progress.done == progress.total
                    wait.resend_s = self._patience.resend_s if is_last else self._resend_busy_s
                    wait.resend_at = self._now() + wait.resend_s
                    wait.done = progress.done
                    return progress
            case EventType.WANT if self._rows:
                return self._give(event, wait)
            case EventType.BOOT | EventType.WANT:
                pass  # of the time before this session
        return None

    def _give(self, event: Frame, wait: _Wait) -> Want | None:
        """Hand out the bytes that the board waits for; returns a want that was not heard before.

        A want that comes again was asked for by a request sent again, which is how a lost want and
        a lost row are found out. After the last row the board is busy, and hears nothing.
        """
        want = Want.parse(event.payload)
        end = want.offset + want.size
        if end > len(self._rows):
            raise CorruptStreamError(
                f"WANT: {want.size} B from {want.offset} on, of an input of {len(self._rows)} B"
            )
        row = self._rows[want.offset : end]
        answer = zlib.crc32(row).to_bytes(CRC_BYTES, "little")
        if self.memory is None or not want.address:
            answer += row
        else:
            self.memory.write(want.address, row)
        self._recorder.write(encode(Frame(ROW, event.sequence, answer)))
        is_last = end == len(self._rows)
        wait.resend_s = self._resend_busy_s if is_last else self._patience.resend_s
        wait.resend_at = self._now() + wait.resend_s
        is_new = event.sequence != wait.want
        wait.want = event.sequence
        return want if is_new else None


def _is_about(answer: Frame, request: Request[AnswerT]) -> bool:
    """Return whether an answer is to a request of this type, not left over from another session."""
    if answer.type == ERROR:
        return Refusal.parse(answer.payload).request == request.TYPE
    return answer.type == request.TYPE | ANSWER


def _read_answer(answer: Frame, request: Request[AnswerT]) -> AnswerT:
    if answer.type == ERROR:
        refusal = Refusal.parse(answer.payload)
        raise FirmwareFaultError(f"{_name(request)}: the board {refusal.text()}")
    return request.parse(answer.payload)


def _name(request: Request[AnswerT]) -> str:
    return type(request).__name__.removeprefix("Ask").upper()


def _no_answer(name: str, silence_s: float, wait: _Wait, damaged: int) -> DeviceError:
    if damaged > 0 or (wait.useless_bytes > 0 and wait.done < 0):
        return CorruptStreamError(
            f"{name}: no answer in {wait.useless_bytes} B within {silence_s:g} s; "
            f"{damaged} damaged frames",
            hint="check the baud rate, the cable, and what else prints on this line",
        )
    if wait.done >= 0:
        return NoAnswerError(
            f"{name}: no inference ended within {silence_s:g} s, {wait.done} were done before",
            hint="allow more with --timeout if an inference may take so long",
        )
    return NoAnswerError(
        f"{name}: the board said nothing for {silence_s:g} s",
        hint="is the right firmware flashed, and is this its console?",
    )
