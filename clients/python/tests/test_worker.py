"""A worker at a coordinator that is played by the test, so that it can say what a real one never would."""

from __future__ import annotations

import dataclasses
import socket
import threading
import time
import unittest
from collections.abc import Callable
from typing import Any, TypeVar

from handover_worker import (
    GiveBack,
    GivenUp,
    Handler,
    JobError,
    LinkLost,
    ProtocolError,
    Summary,
    Unit,
    Worker,
    frames,
    messages,
)
from handover_worker.frames import Close, Data, Declined, Goodbye, Grant, Open, Returned, Revoke, Revoked, Taken

from .support import SOON, Running

F = TypeVar("F", bound=frames.Frame)

JOB = messages.Job((b"cat",), False, False, False, 0, 0, None, False, 1000, 60_000)
NAMES = ("job", "control", "units", "rescue")
NUMBERS = {name: number for number, name in enumerate(NAMES)}


class Coordinator(unittest.TestCase):
    """Frames, one after the other; signs of life, grants and confirmations are seen to by themselves."""

    job = JOB
    # Channels on which it does not wait from the beginning.
    ungranted: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.server.close)
        self.may = threading.Event()
        self.units: list[Unit] = []
        self.seen: list[frames.Frame] = []
        self.channels: dict[int, str] = {}
        self.sent = dict.fromkeys(NAMES, 0)
        self.buffer = bytearray()
        self.hears_beats = True
        self.handler: Handler = self.handle

    def handle(self, unit: Unit) -> bytes:
        self.units.append(unit)
        while not self.may.is_set():
            unit.sleep(0.01)
        return b"done\n"

    def join(self, lease_ms: int = 30_000, **options: Any) -> None:
        """Has a worker join, as far as HELLO."""
        host, port = self.server.getsockname()
        self.running = Running(Worker(f"{host}:{port}", self.handler, name="w", **options))
        self.connection, _ = self.server.accept()
        self.connection.settimeout(SOON)
        self.addCleanup(self.running.thread.join, SOON)
        self.addCleanup(self.connection.close)
        self.buffer += self.connection.recv(len(frames.PREAMBLE), socket.MSG_WAITALL)
        self.assertEqual(self.buffer, frames.PREAMBLE)
        self.buffer.clear()
        hello = self.next(frames.Hello)
        ours = frames.Hello(hello.session, 9, 1, lease_ms, 1 << 20, 16, "c", b"")
        self.connection.sendall(frames.PREAMBLE)
        self.say(ours, *(Open(number, number + 1, name) for name, number in NUMBERS.items()))

    def begin(self, **options: Any) -> None:
        """Has a worker join, and gives it its job."""
        self.join(**options)
        self.give("job", messages.encode_job(self.job))
        self.expect(lambda frame: frame == Taken(0, 1))

    def say(self, *said: frames.Frame) -> None:
        self.connection.sendall(b"".join(map(frames.encode, said)))

    def give(self, name: str, data: bytes) -> None:
        """Sends a message, when it is granted."""
        number = NUMBERS[name]
        self.sent[name] += 1
        self.expect(lambda frame: isinstance(frame, Grant) and frame.channel == number and self.may_send(frame, name))
        self.say(Data(number, self.sent[name], len(data), data))

    def may_send(self, grant: Grant, name: str) -> bool:
        return grant.messages >= self.sent[name]

    def unit(self, number: int) -> bytes:
        return messages.encode(b"x\n", messages.encode_unit_meta(messages.UnitMeta(number)))

    def next(self, kind: type[F]) -> F:
        frame = self.expect(lambda frame: isinstance(frame, kind))
        assert isinstance(frame, kind)
        return frame

    def expect(self, fits: Callable[[frames.Frame], bool]) -> frames.Frame:
        """The next frame that fits, also of those that came meanwhile."""
        for frame in self.seen:
            if fits(frame):
                self.seen.remove(frame)
                return frame
        while True:
            frame = self.read()
            if fits(frame):
                return frame
            self.seen.append(frame)

    def read(self) -> frames.Frame:
        while (found := frames.decode(self.buffer)) is None:
            data = self.connection.recv(65536)
            if not data:
                raise AssertionError(f"it closed the connection; it had said {self.seen}")
            self.buffer += data
        frame, end = found
        del self.buffer[:end]
        match frame:
            case Open():
                self.channels[frame.channel] = frame.name
                if frame.name not in self.ungranted:
                    self.say(Grant(frame.channel, 1, 1 << 40))
            case Data() if self.channels[frame.channel] == "lease" and self.hears_beats:
                self.say(Taken(frame.channel, frame.sequence), Grant(frame.channel, frame.sequence + 1, 1 << 40))
            case frames.Ping():
                self.say(frames.Pong(frame.number))
        return frame

    def data_of(self, name: str) -> Data:
        frame = self.expect(lambda frame: isinstance(frame, Data) and self.channels[frame.channel] == name)
        assert isinstance(frame, Data)
        return frame

    def part(self, code: int = frames.GOODBYE_DONE) -> None:
        """Says the last word, and hears that of the worker."""
        self.say(Goodbye(code, ""))
        self.next(Goodbye)


class Rules(Coordinator):
    def test_what_comes_though_it_is_not_wanted_any_more_is_declined(self) -> None:
        self.begin()
        self.expect(lambda frame: frame == Grant(2, 1, 65_536))
        # The order and the unit cross the worker's grant.
        pause = messages.encode_control(messages.Pause())
        unit = self.unit(1)
        self.say(Data(1, 1, len(pause), pause), Data(2, 1, len(unit), unit))
        self.expect(lambda frame: frame == Taken(1, 1))
        self.expect(lambda frame: frame == Declined(2, 1))
        self.assertEqual(self.units, [])
        self.sent["control"] = 1
        self.give("control", messages.encode_control(messages.Resume()))
        self.sent["units"] = 1
        self.may.set()
        self.give("units", self.unit(1))
        self.expect(lambda frame: frame == Taken(2, 2))
        self.data_of("results")
        self.part()
        self.assertIsInstance(self.running.finish(), Summary)

    def test_while_it_works_it_waits_for_orders_and_for_no_unit(self) -> None:
        self.begin()
        self.give("units", self.unit(7))
        self.expect(lambda frame: frame == Taken(2, 1))
        self.give("control", messages.encode_control(messages.Abort(8)))
        self.expect(lambda frame: frame == Returned(1, 1, False))
        self.give("control", messages.encode_control(messages.Abort(7)))
        self.expect(lambda frame: frame == Taken(1, 2))
        self.give("control", messages.encode_control(messages.Abort(7)))
        self.expect(lambda frame: frame == Returned(1, 3, False))
        # No grant for a unit was said since the first.
        units = [frame for frame in self.seen if isinstance(frame, Grant) and frame.channel == 2]
        self.assertEqual(units, [])
        result = self.data_of("results")
        payload, meta = messages.split(result.chunk, "result")
        self.assertEqual((payload, meta[:2]), (b"", bytes([7, messages.Kind.ABORTED])))
        self.say(Taken(result.channel, 1), Grant(result.channel, 2, 1 << 40))
        self.give("units", self.unit(8))
        self.part(frames.GOODBYE_LEAVING)
        self.assertIsInstance(self.running.finish(), LinkLost)

    def barrier(self) -> None:
        """Two answers one after the other: what the worker had to say before is said."""
        for _ in range(2):
            self.give("control", messages.encode_control(messages.Abort(99)))
            self.expect(lambda frame: frame == Returned(1, self.sent["control"], False))

    def unit_grants(self) -> list[frames.Frame]:
        return [frame for frame in self.seen if isinstance(frame, Grant) and frame.channel == 2]

    def test_it_waits_for_no_unit_while_it_keeps_a_result(self) -> None:
        self.begin()
        self.may.set()
        self.give("units", self.unit(1))
        result = self.data_of("results")
        self.barrier()
        self.assertEqual(self.unit_grants(), [])
        self.say(Taken(result.channel, 1))
        self.expect(lambda frame: isinstance(frame, Grant) and frame.channel == 2)
        self.part()

    def test_it_waits_for_a_unit_while_it_keeps_a_result_if_it_may(self) -> None:
        self.job = dataclasses.replace(JOB, ahead=1)
        self.begin()
        self.may.set()
        self.give("units", self.unit(1))
        self.data_of("results")
        self.give("units", self.unit(2))
        self.expect(lambda frame: frame == Taken(2, 2))
        self.part()

    def test_after_it_gave_a_unit_back_it_waits_for_none_for_a_while(self) -> None:
        def refuse(unit: Unit) -> bytes:
            raise GiveBack(retry_after=3600)

        self.handler = refuse
        self.begin()
        self.give("units", self.unit(1))
        result = self.data_of("results")
        self.assertEqual(messages.split(result.chunk, "result")[1][1], messages.Kind.GIVEN_BACK)
        self.say(Taken(result.channel, 1))
        self.barrier()
        self.assertEqual(self.unit_grants(), [])
        self.part()

    def test_a_time_limit_stands_still_while_it_is_paused(self) -> None:
        self.job = dataclasses.replace(JOB, timeout_ms=300)
        self.begin()
        self.give("units", self.unit(1))
        self.expect(lambda frame: frame == Taken(2, 1))
        self.give("control", messages.encode_control(messages.Pause()))
        self.expect(lambda frame: frame == Taken(1, 1))
        # Longer than the limit: this is what must not count.
        time.sleep(0.4)
        self.barrier()
        self.assertEqual([frame for frame in self.seen if isinstance(frame, Data) and frame.total > 1], [])
        self.give("control", messages.encode_control(messages.Resume()))
        result = self.data_of("results")
        self.assertEqual(messages.split(result.chunk, "result")[1][1], messages.Kind.TIMED_OUT)
        self.part()

    def test_one_that_leaves_closes_the_units_and_finishes_what_it_has(self) -> None:
        self.begin()
        self.give("units", self.unit(1))
        self.expect(lambda frame: frame == Taken(2, 1))
        self.give("control", messages.encode_control(messages.Leave(False)))
        self.expect(lambda frame: frame == Close(2, 2))
        self.may.set()
        result = self.data_of("results")
        self.say(Taken(result.channel, 1))
        self.assertEqual(self.next(Goodbye), Goodbye(1, "asked to leave"))
        self.say(Goodbye(0, ""))
        self.assertEqual(self.running.finish(), Summary("asked to leave", 1))

    def test_a_result_that_is_declined_is_offered_again(self) -> None:
        self.begin()
        self.may.set()
        self.give("units", self.unit(1))
        first = self.data_of("results")
        self.say(Declined(first.channel, 1))
        self.say(Grant(first.channel, 2, 1 << 40))
        second = self.data_of("results")
        self.assertEqual((second.sequence, second.chunk), (2, first.chunk))
        self.say(Taken(first.channel, 2))
        self.part()
        self.assertEqual(self.running.finish(), Summary("the job is done", 1))

    def test_a_result_that_nobody_wants_is_a_worker_that_was_given_up(self) -> None:
        self.begin()
        self.may.set()
        self.give("units", self.unit(1))
        result = self.data_of("results")
        self.say(Returned(result.channel, 1, False))
        goodbye = self.next(Goodbye)
        self.assertIn("given up", goodbye.reason)
        self.say(Goodbye(0, ""))
        self.assertIsInstance(self.running.finish(), GivenUp)

    def test_a_result_that_was_on_its_way_when_the_link_broke_is_in_doubt(self) -> None:
        self.begin()
        self.may.set()
        self.give("units", self.unit(1))
        self.data_of("results")
        self.connection.shutdown(socket.SHUT_RDWR)
        end = self.running.finish()
        self.assertIsInstance(end, LinkLost)
        self.assertIn("it may have been taken, or not", str(end))

    def test_outcomes_are_heard_until_the_others_goodbye(self) -> None:
        self.begin()
        self.may.set()
        self.give("units", self.unit(1))
        result = self.data_of("results")
        self.running.worker.leave(now=True)
        self.next(Goodbye)
        self.say(Taken(result.channel, 1), Goodbye(0, ""))
        self.assertEqual(self.running.finish(), Summary("asked to leave at once", 1))


class InOrder(Coordinator):
    ungranted = ("results",)
    job = messages.Job((b"cat",), False, False, True, 0, 0, None, False, 1000, 60_000)

    def test_a_lost_unit_is_run_though_a_later_result_is_kept_and_goes_first(self) -> None:
        self.begin()
        self.may.set()
        self.give("units", self.unit(5))
        finished = self.data_of("pieces")
        self.assertEqual(finished.chunk, messages.encode_piece(5, messages.Piece.FINISHED))
        self.say(Taken(finished.channel, 1), Grant(finished.channel, 2, 1 << 40))
        self.may.clear()
        self.give("rescue", self.unit(2))
        self.expect(lambda frame: frame == Taken(3, 1))
        results = next(number for number, name in self.channels.items() if name == "results")
        self.say(Grant(results, 1, 1 << 40))
        # An answer that comes after it shows that the grant is left unused while the earlier unit runs.
        self.give("control", messages.encode_control(messages.Abort(5)))
        self.expect(lambda frame: frame == Returned(1, 1, False))
        self.give("control", messages.encode_control(messages.Resume()))
        self.expect(lambda frame: frame == Taken(1, 2))
        self.assertEqual([frame for frame in self.seen if isinstance(frame, Data) and frame.channel == results], [])
        self.may.set()
        finished = self.data_of("pieces")
        self.say(Taken(finished.channel, 2), Grant(finished.channel, 3, 1 << 40))
        self.assertEqual(messages.split(self.data_of("results").chunk, "result")[1][0], 2)
        self.say(Taken(results, 1), Grant(results, 2, 1 << 40))
        self.assertEqual(messages.split(self.data_of("results").chunk, "result")[1][0], 5)
        self.say(Taken(results, 2))
        self.part()
        self.assertEqual(self.running.finish(), Summary("the job is done", 2))


class Lease(Coordinator):
    job = messages.Job((b"cat",), False, False, False, 0, 0, None, False, 1000, 400)

    def test_half_of_it_unheard_it_takes_no_unit_and_the_whole_it_runs_none(self) -> None:
        self.hears_beats = False
        self.begin()
        self.give("units", self.unit(1))
        self.expect(lambda frame: frame == Taken(2, 1))
        result = self.data_of("results")
        # It says so by itself, though nobody asked it: the unit may be another's.
        self.assertEqual(messages.split(result.chunk, "result")[1][:2], bytes([1, messages.Kind.GIVEN_BACK]))
        self.say(Taken(result.channel, 1), Grant(result.channel, 2, 1 << 40))
        beat = self.data_of("lease")
        self.assertEqual([frame for frame in self.seen if isinstance(frame, Grant) and frame.channel == 2], [])
        # Heard again, it waits again, unless too long has passed since that was said.
        self.hears_beats = True
        self.say(Taken(beat.channel, beat.sequence), Grant(beat.channel, beat.sequence + 1, 1 << 40))
        self.give("units", self.unit(1))
        self.may.set()
        self.data_of("results")
        self.part()
        self.running.finish()

    def test_what_comes_in_doubt_is_declined(self) -> None:
        self.hears_beats = False
        self.begin()
        self.expect(lambda frame: frame == Grant(2, 1, 65_536))
        self.expect(lambda frame: frame == Revoke(2))
        unit = self.unit(1)
        self.say(Data(2, 1, len(unit), unit), Revoked(2, 1, len(unit)))
        self.expect(lambda frame: frame == Declined(2, 1))
        self.part()
        self.running.finish()
        self.assertEqual(self.units, [])

    def test_a_silent_link_is_lost(self) -> None:
        self.join(lease_ms=200)
        end = self.running.finish()
        self.assertIsInstance(end, LinkLost)
        self.assertIn("silent for the lease of 0.2 s", str(end))


class BadInput(Coordinator):
    def ends_with(self, error: type[Exception], code: int, pattern: str) -> None:
        goodbye = self.next(Goodbye)
        self.assertEqual(goodbye.code, code)
        self.assertRegex(goodbye.reason, pattern)
        self.connection.close()
        end = self.running.finish()
        self.assertIsInstance(end, error, end)
        self.assertRegex(str(end), pattern)

    def test_a_job_of_another_version_is_refused(self) -> None:
        self.join()
        self.give("job", b"\x03\x00" + messages.encode_job(JOB)[2:])
        self.ends_with(JobError, frames.GOODBYE_LEAVING, "version 3")

    def test_what_is_no_job_is_refused(self) -> None:
        self.join()
        self.give("job", messages.encode_job(JOB) + b"x")
        self.ends_with(ProtocolError, frames.GOODBYE_VIOLATION, "no job")

    def test_what_is_no_unit_is_refused(self) -> None:
        self.begin()
        self.give("units", b"\xff\xff")
        self.ends_with(ProtocolError, frames.GOODBYE_VIOLATION, "no unit")

    def test_what_is_no_order_is_refused(self) -> None:
        self.begin()
        self.give("control", messages.encode(b"", b"\x09"))
        self.ends_with(ProtocolError, frames.GOODBYE_VIOLATION, "no order")

    def test_an_order_that_is_too_long_is_refused_before_it_has_come(self) -> None:
        self.begin()
        self.sent["control"] = 1
        self.expect(lambda frame: isinstance(frame, Grant) and frame.channel == 1)
        self.say(Data(1, 1, 100_000, b"x"))
        self.ends_with(ProtocolError, frames.GOODBYE_VIOLATION, "limit is 4098")

    def test_a_unit_that_was_not_asked_for_is_refused(self) -> None:
        self.begin()
        self.give("units", self.unit(1))
        self.expect(lambda frame: frame == Taken(2, 1))
        unit = self.unit(2)
        self.say(Data(2, 2, len(unit), unit))
        self.ends_with(ProtocolError, frames.GOODBYE_VIOLATION, "without credit")

    def test_one_who_has_no_job_is_left(self) -> None:
        # The time for a job would be long; the coordinator's own word comes first.
        self.join()
        self.say(Goodbye(1, "no worker joins here"))
        self.next(Goodbye)
        end = self.running.finish()
        self.assertIsInstance(end, LinkLost)
        self.assertIn("no worker joins here", str(end))

    def test_a_closed_channel_and_no_word_is_a_worker_that_was_given_up(self) -> None:
        self.begin()
        began = time.monotonic()
        self.say(Close(2, 1))
        goodbye = self.next(Goodbye)
        self.assertIn("given up", goodbye.reason)
        self.assertGreaterEqual(time.monotonic() - began, 0.9)
        self.say(Goodbye(0, ""))
        self.assertIsInstance(self.running.finish(), GivenUp)
