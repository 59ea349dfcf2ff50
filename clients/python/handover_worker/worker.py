"""A worker: joins a job, takes one unit at a time, keeps each result until it is taken.

One thread, the one that calls `Worker.run`, has the link; the handler of the unit at work has a thread of its own.

# Invariants
- It waits for a unit only when it runs nothing and keeps at most `ahead` results.
- It waits for orders always.
- Paused, or not heard by its coordinator for half of its lease, it waits for no unit; not heard for the whole
  lease, it runs none.
"""

from __future__ import annotations

import os
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import frames, messages
from . import link as wire
from .errors import (
    Aborted,
    ConnectError,
    GivenUp,
    HandoverError,
    JobError,
    LinkLost,
    NobodyListens,
    ProtocolError,
    Stopped,
    TakenAway,
    TimedOut,
    VersionMismatch,
)
from .link import Link, Settlement
from .messages import Job, Piece
from .transport import Tls, Transport, connect
from .unit import Done, Handler, Unit, _Offer

JOB, UNITS, RESCUE, CONTROL = "job", "units", "rescue", "control"
RESULTS, PIECES, REPORTS, LEASE = "results", "pieces", "reports", "lease"

HANDSHAKE_TIME = 10.0
JOB_TIME = 5.0
# For the end of the link, after the coordinator closed a channel.
CLOSE_TIME = 1.0
GOODBYE_TIME = 5.0
# For a handler that was cut short to notice it, when the worker leaves.
HANDLER_TIME = 5.0
PROGRESS_TIME = 0.1
CONTROL_BYTES_MAX = messages.META_BYTES_MAX + 2


@dataclass(frozen=True)
class Summary:
    """How a worker's time with a job ended, in good order."""

    reason: str
    finished: int


class Worker:
    """Works for the `handover map` that listens at `connect`."""

    def __init__(
        self,
        connect: str,
        handler: Handler,
        *,
        token: str | None = None,
        tls: Tls | None = None,
        insecure_plain_tcp: bool = False,
        limit: int = 16 << 20,
        name: str | None = None,
        lease: float = 30.0,
        patience: float = 0.0,
        on_job: Callable[[Job], None] | None = None,
    ) -> None:
        """`handler` gets each `Unit` and returns its result; see the README.

        `limit` is the most bytes of a unit or a result; a job with a higher limit is refused. `lease` is for how
        many seconds the link bears silence, `patience` for how many it waits until somebody listens. `on_job` is
        called with the job when it is there, and may raise a `JobError`.
        """
        token_bytes = (token or "").encode()
        if len(token_bytes) > frames.TOKEN_BYTES_MAX:
            raise ValueError(f"a token has at most {frames.TOKEN_BYTES_MAX} bytes")
        if not 0 <= limit <= messages.UNIT_BYTES_MAX:
            raise ValueError(f"the limit is at most {messages.UNIT_BYTES_MAX} bytes")
        self._connect = (connect, tls, insecure_plain_tcp)
        self._handler = handler
        self._limit = limit
        self._on_job = on_job
        self._patience = patience
        if (name or "").startswith("local "):
            raise ValueError("a name that begins with `local ` is for workers that the coordinator started itself")
        name = name or f"worker {socket.gethostname()}:{os.getpid()}"
        name = "".join(letter for letter in name if letter.isprintable())
        self._settings = wire.Settings(
            session=secrets.randbits(128),
            incarnation=secrets.randbits(64),
            name=name.encode()[: frames.NAME_BYTES_MAX].decode(errors="ignore"),
            token=token_bytes,
            lease_ms=max(int(lease * 1000), frames.LEASE_MS_MIN),
            message_bytes=max(limit + messages.META_BYTES_MAX, messages.JOB_BYTES_MAX),
        )
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        # 1: leave when the unit at hand is done, 2: at once.
        self._asked = 0
        self._link: Link
        self._transport: Transport
        self._job: Job | None = None
        self._unit: Unit | None = None
        self._done: tuple[Unit, Done] | None = None
        # The unit whose result waits for its last piece to be taken.
        self._ending: tuple[int, Done] | None = None
        self._kept: dict[int, Done] = {}
        self._sending: int | None = None
        self._offers: dict[str, tuple[Unit, _Offer | None]] = {}
        self._leaving = False
        self._paused = False
        self._given_up = False
        self._doubt_at: float | None = None
        self._rest_until = 0.0
        self._progress_at = 0.0
        self._renewed = 0.0
        self._beat_at = 0.0
        self._beat_sent: float | None = None
        self._thread: threading.Thread | None = None
        self.finished = 0
        self.refused = 0

    def leave(self, now: bool = False) -> None:
        """Has the worker leave: when the unit at hand is done, or at once, giving it back. From any thread, and
        from a signal's handler."""
        self._asked = max(self._asked, 2 if now else 1)
        self._wake()

    def _wake(self) -> None:
        try:
            self._waker.send(b".")
        except OSError:
            # It has woken up already, or is gone.
            pass

    def run(self) -> Summary:
        """Works until the job is done, or the worker was asked to leave. Raises a `HandoverError` at any other end.

        Once: to join again, make another worker.
        """
        try:
            self._transport = self._join()
        except HandoverError:
            self._waker.close()
            self._woken.close()
            raise
        self._link = Link(self._settings, time.monotonic())
        try:
            return self._run()
        except ProtocolError as error:
            # To one that speaks something else any word would be noise.
            if self._link.is_understood:
                code = frames.GOODBYE_VERSION if isinstance(error, VersionMismatch) else frames.GOODBYE_VIOLATION
                self._part(code, str(error))
            raise
        finally:
            self._cut(Stopped)
            if self._thread is not None:
                self._thread.join(HANDLER_TIME)
            self._transport.close()
            self._waker.close()
            self._woken.close()

    def _join(self) -> Transport:
        address, tls, insecure = self._connect
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return connect(address, tls, insecure, HANDSHAKE_TIME)
            except NobodyListens:
                if time.monotonic() >= deadline or self._asked:
                    raise
            time.sleep(0.05)

    # ---- The loop ----

    def _run(self) -> Summary:
        deadline = time.monotonic() + HANDSHAKE_TIME
        for name, limit in ((JOB, messages.JOB_BYTES_MAX), (CONTROL, CONTROL_BYTES_MAX)):
            self._link.want(name, True, limit)
        unit_bytes = self._settings.message_bytes
        self._link.want(UNITS, False, unit_bytes)
        self._link.want(RESCUE, False, unit_bytes)
        while True:
            now = time.monotonic()
            self._link.tick(now)
            if self._job is None and now >= deadline:
                if self._link.peer is None:
                    raise ConnectError("the other side did not say who it is in time")
                sentence = "nobody there has a job: is it a `handover map`?"
                self._part(frames.GOODBYE_LEAVING, sentence)
                raise JobError(sentence)
            end = self._advance(now)
            if end is not None:
                return end
            self._write()
            for event in self._wait(self._next_time(now, deadline)):
                if isinstance(event, wire.Welcome):
                    deadline = time.monotonic() + JOB_TIME
                end = self._hear(event)
                if end is not None:
                    return end

    def _write(self) -> None:
        while not self._transport.is_writing:
            data = self._link.output()
            if not data:
                break
            self._transport.put(data)
            self._transport.flush()

    def _next_time(self, now: float, deadline: float) -> float:
        times = [self._link.deadline()]
        if self._job is None:
            times.append(deadline)
            return min(times)
        half = self._renewed + self._job.lease_ms / 2000
        times.append(half if now < half else half + self._job.lease_ms / 2000 if not self._is_over(now) else now + 1)
        if self._beat_sent is None and self._link.has_credit(LEASE):
            times.append(self._beat_at)
        if self._unit is not None:
            due = self._unit.due()
            if due is not None:
                times.append(due)
            if self._unit.has_progress() and self._link.has_credit(REPORTS):
                times.append(self._progress_at)
        if self._rest_until > now:
            times.append(self._rest_until)
        if self._doubt_at is not None:
            times.append(self._doubt_at)
        return min(times)

    def _wait(self, until: float) -> list[wire.Event]:
        """Waits for bytes, for a thread, or for the time; gives what the bytes mean."""
        sock = self._transport.socket
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        poll.register(sock, select.POLLIN | (select.POLLOUT if self._transport.is_writing else 0))
        ready = dict(poll.poll(max(until - time.monotonic(), 0) * 1000))
        if self._woken.fileno() in ready:
            try:
                self._woken.recv(4096)
            except OSError:
                pass
        if sock.fileno() not in ready:
            return []
        # What came after a silence of the whole lease is too late.
        self._link.tick(time.monotonic())
        try:
            data = self._transport.fetch()
        except LinkLost as error:
            raise self._lost(str(error)) from error
        self._transport.flush()
        return self._link.received(data, time.monotonic()) if data else []

    def _lost(self, why: str) -> HandoverError:
        if self._link.peer is None:
            return ConnectError(f"the other side said nothing: {why}")
        doubt = " (a result was on its way: it may have been taken, or not)" if self._link.in_doubt(RESULTS) else ""
        return LinkLost(f"the job is lost: {why}{doubt}")

    # ---- What the other side says ----

    def _hear(self, event: wire.Event) -> Summary | None:
        match event:
            case wire.Welcome():
                pass
            case wire.Message(channel=name):
                return self._message(name, event)
            case wire.Outcome():
                self._settled(event)
            case wire.SenderClosed(channel=name) if name in (UNITS, CONTROL):
                self._doubt()
            case wire.ReceiverClosed(channel=name) if name in (RESULTS, LEASE):
                if name == RESULTS:
                    self._sending = None
                self._doubt()
            case wire.ReceiverClosed(channel=name) if name in self._offers:
                unit, offer = self._offers.pop(name)
                if offer is not None:
                    unit.handed_over(offer)
            case frames.Goodbye():
                return self._goodbye(event)
        return None

    def _goodbye(self, goodbye: frames.Goodbye) -> Summary:
        if self._link.peer is None:
            raise ConnectError(str(goodbye))
        self._part(frames.GOODBYE_DONE, "")
        if goodbye.code == frames.GOODBYE_DONE and self._job is not None:
            return Summary("the job is done", self.finished)
        raise self._lost(goodbye.reason or str(goodbye))

    def _message(self, name: str, message: wire.Message) -> Summary | None:
        if name == JOB and self._job is None:
            self._link.settle(name, message.sequence, Settlement.TAKEN)
            self._begin_job(message.data)
        elif name == CONTROL:
            return self._obey(message)
        elif name in (UNITS, RESCUE) and self._job is not None:
            idle = self._is_idle(time.monotonic())
            wanted = idle and (name == RESCUE or self._wants_unit())
            self._link.settle(name, message.sequence, Settlement.TAKEN if wanted else Settlement.DECLINED)
            if wanted:
                self._begin_unit(message.data)
        else:
            self._link.settle(name, message.sequence, Settlement.DECLINED)
        return None

    def _begin_job(self, message: bytes) -> None:
        try:
            job = messages.decode_job(message)
            if job.limit > self._limit:
                raise JobError(f"the job's limit is {job.limit} bytes: join with that limit")
            if self._on_job is not None:
                self._on_job(job)
        except JobError as error:
            self._part(frames.GOODBYE_LEAVING, f"no job: {error}")
            raise
        self._job = job
        self._link.want(JOB, False)
        self._link.close_receive(JOB)
        for name in (PIECES, REPORTS, LEASE, RESULTS):
            self._link.open(name)
        self._renewed = self._beat_at = time.monotonic()

    def _begin_unit(self, message: bytes) -> None:
        assert self._job is not None
        data, meta = messages.decode_unit(message)
        unit = self._unit = Unit(meta.number, data, meta.oversized, self._job, self._wake)

        def work() -> None:
            self._done = (unit, unit.work(self._handler))
            self._wake()

        # A handler that ignores that nobody wants it any more does not keep the process alive.
        self._thread = threading.Thread(target=work, name=f"unit {meta.number}", daemon=True)
        self._thread.start()

    def _obey(self, message: wire.Message) -> Summary | None:
        control = messages.decode_control(message.data)
        settlement = Settlement.TAKEN
        match control:
            case messages.Abort(number=number):
                at_work = self._unit is not None and self._unit.number == number
                if not (at_work and self._cut(Aborted)):
                    settlement = Settlement.RETURNED
            case messages.Pause() | messages.Resume():
                self._set_paused(isinstance(control, messages.Pause))
            case messages.Leave():
                pass
        self._link.settle(CONTROL, message.sequence, settlement)
        if isinstance(control, messages.Leave):
            if control.now:
                return self._leave_now()
            self._leave_when_done()
        return None

    def _settled(self, event: wire.Outcome) -> None:
        taken = event.settlement is Settlement.TAKEN
        match event.channel:
            case "lease":
                if taken and self._beat_sent is not None:
                    self._renewed = self._beat_sent
                if not taken:
                    self._beat_at = time.monotonic()
                self._beat_sent = None
            case "results":
                number, self._sending = self._sending, None
                if number is not None and taken:
                    self.finished += not self._kept.pop(number).is_given_back
                elif number is not None and event.settlement is not Settlement.DECLINED:
                    # It comes too late, unless the link is about to end.
                    self._kept.pop(number, None)
                    self.refused += 1
                    self._doubt()
            case "pieces" | "reports":
                offer = self._offers.pop(event.channel, None)
                if event.channel == PIECES and offer is None and self._ending is not None:
                    # The coordinator knows that the unit is done.
                    number, result = self._ending
                    self._ending = None
                    self._kept[number] = result
                    self._unit = None
                elif offer is not None and offer[1] is not None:
                    offer[0].handed_over(offer[1])

    # ---- What follows ----

    def _advance(self, now: float) -> Summary | None:
        if self._asked == 2 or (self._asked and self._job is None):
            return self._leave_now()
        if self._job is None:
            return None
        if self._asked == 1:
            self._leave_when_done()
        if self._doubt_at is not None and now >= self._doubt_at and not self._given_up:
            self._give_up()
        self._take_result(now)
        if self._is_over(now):
            self._cut(TakenAway)
        if self._unit is not None and (due := self._unit.due()) is not None and now >= due:
            self._cut(TimedOut)
        self._say_beat(now)
        self._say_pieces()
        self._say_reports(now)
        self._say_result()
        idle = self._is_idle(now)
        self._link.want(UNITS, idle and self._wants_unit() and now >= self._rest_until)
        self._link.want(RESCUE, idle and self._job.keep_order and now >= self._rest_until)
        self._link.want(CONTROL, not self._given_up)
        if (self._leaving or self._given_up) and self._unit is None and not self._kept:
            return self._leave()
        return None

    def _is_over(self, now: float) -> bool:
        return self._job is not None and now - self._renewed >= self._job.lease_ms / 1000

    def _is_idle(self, now: float) -> bool:
        in_doubt = self._job is None or now - self._renewed >= self._job.lease_ms / 2000
        return self._unit is None and not (in_doubt or self._paused or self._given_up)

    def _wants_unit(self) -> bool:
        return self._job is not None and len(self._kept) <= self._job.ahead and not self._leaving

    def _take_result(self, now: float) -> None:
        # A piece must not come after its unit's result.
        if self._done is None or (PIECES in self._offers and not self._given_up):
            return
        (unit, result), self._done = self._done, None
        self._rest_until = now + result.rest
        if self._given_up:
            self._unit = None
            self.refused += 1
        elif self._job is not None and self._job.keep_order:
            self._ending = (unit.number, result)
        else:
            self._kept[unit.number] = result
            self._unit = None

    def _say_beat(self, now: float) -> None:
        assert self._job is not None
        if self._beat_sent is None and now >= self._beat_at and self._link.has_credit(LEASE):
            # What counts is when it was said, not when it was heard.
            self._beat_sent = now
            self._link.send(LEASE, b".")
            self._beat_at = now + self._job.lease_ms / 4000

    def _say_pieces(self) -> None:
        if not self._link.has_credit(PIECES) or PIECES in self._offers:
            return
        if self._unit is not None and (offer := self._unit.next_offer(True)) is not None:
            self._offers[PIECES] = (self._unit, offer)
            self._link.send(PIECES, offer.message)
        elif self._ending is not None:
            self._link.send(PIECES, messages.encode_piece(self._ending[0], Piece.FINISHED))

    def _say_reports(self, now: float) -> None:
        if self._unit is None or not self._link.has_credit(REPORTS) or REPORTS in self._offers:
            return
        if now >= self._progress_at and (progress := self._unit.take_progress()) is not None:
            self._progress_at = now + PROGRESS_TIME
            self._offers[REPORTS] = (self._unit, None)
            self._link.send(REPORTS, progress)
        elif (offer := self._unit.next_offer(False)) is not None:
            self._offers[REPORTS] = (self._unit, offer)
            self._link.send(REPORTS, offer.message)

    def _say_result(self) -> None:
        """Offers the lowest result that is kept: in order, nothing goes before a unit that runs."""
        if self._sending is not None or not self._kept or not self._link.has_credit(RESULTS):
            return
        number = min(self._kept)
        in_order = self._job is not None and self._job.keep_order
        if in_order and self._unit is not None and self._unit.number < number:
            return
        self._sending = number
        self._link.send(RESULTS, self._kept[number].message)

    # ---- Orders, and the end ----

    def _cut(self, why: type[Aborted | TakenAway | TimedOut | Stopped]) -> bool:
        return self._unit is not None and self._ending is None and self._unit.cut_short(why)

    def _set_paused(self, paused: bool) -> None:
        self._paused = paused
        if self._unit is not None:
            self._unit.set_paused(paused)

    def _leave_when_done(self) -> None:
        if not self._leaving:
            self._leaving = True
            self._link.close_receive(UNITS)
            # A unit that is stopped would never be done.
            self._set_paused(False)

    def _leave_now(self) -> Summary:
        reason = "asked to leave at once"
        self._part(frames.GOODBYE_LEAVING, reason)
        return Summary(reason, self.finished)

    def _leave(self) -> Summary:
        if not self._given_up:
            self._part(frames.GOODBYE_LEAVING, "asked to leave")
            return Summary("asked to leave", self.finished)
        reason = "given up: silent for longer than its lease"
        self._part(frames.GOODBYE_LEAVING, reason)
        raise GivenUp(f"{reason}; {self.finished} finished here, {self.refused} late refused")

    def _doubt(self) -> None:
        """The coordinator closed a channel: the link is about to end, or it has given this worker up."""
        if self._doubt_at is None:
            self._doubt_at = time.monotonic() + CLOSE_TIME

    def _give_up(self) -> None:
        self._given_up = self._leaving = True
        self._cut(TakenAway)
        # Nobody wants these any more.
        self.refused += len(self._kept)
        self._kept.clear()
        if self._ending is not None:
            self._ending = self._unit = None

    def _part(self, code: int, reason: str) -> None:
        """Says goodbye, and waits for the other side's."""
        if self._link.is_parting:
            return
        self._link.goodbye(code, reason)
        self._cut(Stopped)
        deadline = time.monotonic() + GOODBYE_TIME
        try:
            self._write()
            while not self._link.goodbye_said or self._link.goodbye_heard is None or self._transport.is_writing:
                now = time.monotonic()
                deaf = code in (frames.GOODBYE_VIOLATION, frames.GOODBYE_VERSION)
                if deaf and self._link.goodbye_said and not self._transport.is_writing:
                    self._transport.let_it_be_heard(CLOSE_TIME)
                    return
                if now >= deadline:
                    return
                for event in self._wait(deadline):
                    if isinstance(event, wire.Outcome):
                        self._settled(event)
                self._write()
        except HandoverError:
            # It has gone without a word, which changes nothing any more.
            pass

