"""One unit in a handler's hands, and the thread that runs the handler.

# Invariants
- What a unit is cut by is decided once, under the lock, and before its result is: so whoever was told that it is
  aborted sees it aborted.
- What a handler hands over (a log line, standard error) blocks it until the coordinator has it; nothing piles up.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Union

from . import messages
from .errors import Aborted, Failed, GiveBack, Stopped, TimedOut, UnitCut
from .messages import Job, Kind, Outcome, Piece, ResultMeta

Output = Union[bytes, bytearray, str, None, "Exit"]
Handler = Callable[["Unit"], Output | Awaitable[Output]]


@dataclass(frozen=True)
class Exit:
    """What a command that ended has to say: its status, and its output. A handler may return one."""

    status: int = 0
    output: bytes = b""
    signal: int | None = None
    # Bytes of output, if they are not all here.
    output_bytes: int | None = None


@dataclass(frozen=True)
class Done:
    """A unit's result: its message, and for how many seconds the worker is to ask for no unit."""

    message: bytes
    rest: float
    is_given_back: bool


class _Offer:
    """A message that a handler's thread hands over."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.done = False


class Unit:
    """A unit of work: its bytes, and the way back to the coordinator while it is worked on.

    `progress`, `log`, `stderr`, `check` and `sleep` may be called from any thread. A handler that takes long calls
    one of them now and then: they raise a `UnitCut` once nobody wants the result any more, and `check` and
    `sleep` wait while the worker is paused.
    """

    def __init__(self, number: int, data: bytes, oversized: int | None, job: Job, wake: Callable[[], None]) -> None:
        self.number = number
        self.data = data
        self.job = job
        self.attempt = 0
        self._oversized = oversized
        self._wake = wake
        self._lock = threading.Condition()
        self._cut: type[UnitCut] | None = None
        self._decided = False
        self._paused = False
        # The end of the attempt's time limit; while it is paused, how much of it is left.
        self._deadline: float | None = None
        self._left: float | None = None
        self._progress: tuple[int, str] | None = None
        self._reports: list[_Offer] = []
        self._pieces: list[_Offer] = []
        self._hooks: list[Callable[[str], None]] = []

    # ---- For handlers ----

    @property
    def line(self) -> bytes:
        """The unit without its line end."""
        return self.data[:-1] if self.data.endswith(b"\n") else self.data

    @property
    def text(self) -> str:
        """The unit without its line end, as text."""
        return self.line.decode()

    @property
    def cut(self) -> type[UnitCut] | None:
        """Why nobody wants the result any more, if so."""
        return self._cut

    @property
    def is_paused(self) -> bool:
        """Whether the worker is paused."""
        return self._paused

    def progress(self, part: float, text: str = "") -> None:
        """Says how far the unit is, from 0 to 1. The newest counts; this never waits."""
        with self._lock:
            self._progress = (round(min(max(part, 0.0), 1.0) * 1_000_000), text)
        self._wake()
        self._raise_if_cut()

    def log(self, text: str) -> None:
        """Says a line for people, and waits until the coordinator has it."""
        self._hand_over(self._reports, messages.encode_log(self.number, text))

    def bad_report(self, why: str) -> None:
        """Says that the unit's command reported what is no report."""
        self._hand_over(self._reports, messages.encode_bad(self.number, why))

    def stderr(self, data: bytes) -> None:
        """Hands over a piece of the unit's standard error: whole lines, best."""
        self.piece(Piece.STDERR, data)

    def piece(self, piece: Piece, data: bytes = b"") -> None:
        """Hands over a piece of output. Standard output goes in pieces only if the job is one `to_files`."""
        for at in range(0, max(len(data), 1), messages.PIECE_BYTES_MAX):
            part = data[at : at + messages.PIECE_BYTES_MAX]
            self._hand_over(self._pieces, messages.encode_piece(self.number, piece, part))

    def check(self) -> None:
        """Waits while the worker is paused. Raises a `UnitCut` if nobody wants the result any more."""
        with self._lock:
            self._lock.wait_for(lambda: self._cut is not None or not self._paused)
        self._raise_if_cut()

    def sleep(self, seconds: float) -> None:
        """Sleeps, but not while nobody wants the result; then waits as `check` does."""
        with self._lock:
            self._lock.wait_for(lambda: self._cut is not None, seconds)
        self.check()

    def on_change(self, hook: Callable[[str], None]) -> None:
        """Has `hook` called, from the worker's own thread, with "cut", "pause" or "resume" when that happens.

        It must not block. At once with "cut" or "pause" if that is so already.
        """
        with self._lock:
            self._hooks.append(hook)
            now = "cut" if self._cut is not None else "pause" if self._paused else None
        if now is not None:
            hook(now)

    def remove_hook(self, hook: Callable[[str], None]) -> None:
        """Has it called no more."""
        with self._lock:
            self._hooks.remove(hook)

    def _raise_if_cut(self) -> None:
        if self._cut is not None:
            raise self._cut("the unit is not wanted any more")

    def _hand_over(self, offers: list[_Offer], message: bytes) -> None:
        offer = _Offer(message)
        with self._lock:
            self._raise_if_cut()
            offers.append(offer)
        self._wake()
        with self._lock:
            self._lock.wait_for(lambda: offer.done or self._cut is not None)
            if not offer.done and offer in offers:
                offers.remove(offer)
            self._raise_if_cut()

    # ---- For the worker ----

    def cut_short(self, why: type[UnitCut]) -> bool:
        """Cuts it short, unless it is so already, or its result is decided."""
        with self._lock:
            if self._decided or self._cut not in (None, TimedOut) or self._cut is why:
                return False
            self._cut = why
            hooks = list(self._hooks)
            self._lock.notify_all()
        for hook in hooks:
            hook("cut")
        return True

    def set_paused(self, paused: bool) -> None:
        """Pauses it or lets it go on."""
        with self._lock:
            if self._paused == paused:
                return
            self._paused = paused
            now = time.monotonic()
            if paused and self._deadline is not None:
                self._left, self._deadline = self._deadline - now, None
            elif not paused and self._left is not None:
                self._deadline, self._left = now + self._left, None
            hooks = list(self._hooks)
            self._lock.notify_all()
        for hook in hooks:
            hook("pause" if paused else "resume")

    def due(self) -> float | None:
        """When its time limit ends, if it has one and is not paused."""
        return self._deadline

    def take_progress(self) -> bytes | None:
        """The newest progress that was not told."""
        with self._lock:
            newest, self._progress = self._progress, None
        return None if newest is None else messages.encode_progress(self.number, *newest)

    def has_progress(self) -> bool:
        """Whether there is one."""
        return self._progress is not None

    def next_offer(self, pieces: bool) -> _Offer | None:
        """What a thread of the handler waits to hand over."""
        with self._lock:
            offers = self._pieces if pieces else self._reports
            return offers[0] if offers else None

    def handed_over(self, offer: _Offer) -> None:
        """It was taken, or nobody takes it any more."""
        with self._lock:
            offer.done = True
            for offers in (self._pieces, self._reports):
                if offer in offers:
                    offers.remove(offer)
            self._lock.notify_all()

    # ---- The handler's thread ----

    def work(self, handler: Handler) -> Done:
        """Runs the handler until it succeeds or has no more retries."""
        begun = time.monotonic()
        rest = 0.0
        while True:
            self.attempt += 1
            started, clock = time.time(), time.monotonic()
            outcome, output, rest, output_bytes = self._try(handler)
            ran = time.monotonic() - clock
            again = not outcome.is_success and outcome.kind is not Kind.GIVEN_BACK and self._oversized is None
            with self._lock:
                if self._cut is TimedOut and again and self.attempt <= self.job.retries:
                    self._cut = None
                if again and self.attempt <= self.job.retries and self._cut is None:
                    continue
                self._decided = True
                self._deadline = self._left = None
                cut = self._cut
            if cut is not None:
                outcome, output, output_bytes = self._outcome_of(cut), b"", None
            meta = ResultMeta(
                number=self.number,
                outcome=outcome,
                started_us=int(started * 1e6),
                run_us=int(ran * 1e6),
                work_us=int((time.monotonic() - begun) * 1e6),
                attempts=self.attempt,
                output_bytes=len(output) if output_bytes is None else output_bytes,
            )
            message = messages.encode(output, messages.encode_result_meta(meta))
            return Done(message, rest, outcome.kind is Kind.GIVEN_BACK)

    def _outcome_of(self, cut: type[UnitCut]) -> Outcome:
        if cut is Aborted:
            return Outcome(Kind.ABORTED)
        if cut is TimedOut:
            return Outcome(Kind.TIMED_OUT, self.job.timeout_ms or 0)
        return Outcome(Kind.GIVEN_BACK)

    def _try(self, handler: Handler) -> tuple[Outcome, bytes, float, int | None]:
        """One run: how it ended, its output, and how long the worker is to rest."""
        try:
            if self.job.to_files:
                self.piece(Piece.START)
            if self._oversized is not None:
                raise Failed(f"the unit has {self._oversized} bytes, the limit is {self.job.limit} (see --limit)")
            self.check()
            if self.job.timeout_ms is not None:
                with self._lock:
                    if self._paused:
                        self._left = self.job.timeout_ms / 1000
                    else:
                        self._deadline = time.monotonic() + self.job.timeout_ms / 1000
                self._wake()
            done = self._call(handler)
            if isinstance(done, str):
                done = (done if done.endswith("\n") else done + "\n").encode()
            ended = done if isinstance(done, Exit) else Exit(0, bytes(done or b""))
            if len(ended.output) > self.job.limit:
                raise Failed(f"its output is larger than the limit of {self.job.limit} bytes (see --limit)")
            if ended.signal is not None:
                return Outcome(Kind.SIGNALLED, ended.signal), ended.output, 0.0, ended.output_bytes
            return Outcome(Kind.EXITED, ended.status), ended.output, 0.0, ended.output_bytes
        except GiveBack as back:
            return Outcome(Kind.GIVEN_BACK), b"", back.retry_after, None
        except UnitCut:
            # Only what the lock says counts; a handler cannot abort itself.
            why = self._cut or Stopped
            return self._outcome_of(why), b"", 0.0, None
        except Failed as failure:
            return messages.failed(str(failure)), b"", 0.0, None
        except (Exception, asyncio.CancelledError) as error:
            return messages.failed(f"{type(error).__name__}: {error}"), b"", 0.0, None
        finally:
            with self._lock:
                self._deadline = self._left = None

    def _call(self, handler: Handler) -> Output:
        if not inspect.iscoroutinefunction(handler):
            done = handler(self)
            if inspect.isawaitable(done):
                raise Failed("the handler returned something to await: make it an `async def`")
            return done
        return asyncio.run(self._await(handler))

    async def _await(self, handler: Handler) -> Output:
        """Awaits a coroutine, which is cancelled when the unit is cut short."""
        done = handler(self)
        assert inspect.isawaitable(done)
        task: asyncio.Future[Output] = asyncio.ensure_future(done)
        loop = asyncio.get_running_loop()

        def hook(change: str) -> None:
            if change == "cut":
                try:
                    loop.call_soon_threadsafe(task.cancel)
                except RuntimeError:
                    # It has just ended.
                    pass

        self.on_change(hook)
        try:
            return await task
        finally:
            self.remove_hook(hook)
