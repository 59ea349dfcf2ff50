"""Frames and messages are, to the byte, what the other side says and the documents show."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import unittest
from collections.abc import Callable
from typing import Any

from handover_worker import HandoverError, ProtocolError, frames, messages, reports
from handover_worker.link import Link, Settings, Settlement

from .support import CLIENT, ROOT

FIELDS = {
    "Aborted": messages.Kind.ABORTED,
    "GivenBack": messages.Kind.GIVEN_BACK,
    "Exited": messages.Kind.EXITED,
    "Signalled": messages.Kind.SIGNALLED,
    "TimedOut": messages.Kind.TIMED_OUT,
    "Failed": messages.Kind.FAILED,
    "Poisoned": messages.Kind.POISONED,
}


def words(frame: frames.Frame) -> list[Any]:
    """A frame as the vectors have it."""

    def plain(value: Any) -> Any:
        return value.hex() if isinstance(value, bytes) else list(value) if isinstance(value, tuple) else value

    values = [plain(getattr(frame, field.name)) for field in dataclasses.fields(frame)]
    return [type(frame).__name__, *values]


class Frames(unittest.TestCase):
    def vectors(self) -> list[tuple[bytes, list[Any]]]:
        lines = (CLIENT / "tests/frames.tsv").read_text().splitlines()
        return [(bytes.fromhex(line.split("\t")[0]), json.loads(line.split("\t")[1])) for line in lines]

    def test_each_frame_is_the_bytes_that_the_other_side_makes_of_it(self) -> None:
        kinds = set()
        for data, expected in self.vectors():
            found = frames.decode(data)
            assert found is not None
            frame, end = found
            self.assertEqual((words(frame), end), (expected, len(data)))
            self.assertEqual(frames.encode(frame), data)
            kinds.add(frame.TYPE)
        self.assertEqual(kinds, set(range(1, 20)))

    def test_a_frame_that_is_not_whole_is_none_yet(self) -> None:
        for data, _ in self.vectors():
            for length in range(len(data)):
                self.assertIsNone(frames.decode(data[:length]))

    def test_no_bytes_do_harm(self) -> None:
        rng = random.Random(7)
        vectors = self.vectors()
        refused = 0
        for _ in range(20_000):
            data = bytearray(rng.choice(vectors)[0])
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            try:
                frames.decode(data)
            except ProtocolError:
                refused += 1
        self.assertGreater(refused, 1000)

    def test_a_length_that_a_type_does_not_allow_is_refused_with_the_header_alone(self) -> None:
        header = frames.HEADER.pack(1, frames.Data.TYPE, 0, 65_541, 1)
        with self.assertRaisesRegex(ProtocolError, "DATA frame has a payload of 65541"):
            frames.decode(header)

    def test_a_reason_is_one_line_of_whole_characters(self) -> None:
        self.assertEqual(frames.reason_bytes("a\nb\x9bc"), b"a b c")
        self.assertEqual(len(frames.reason_bytes("é" * 200)), 256)
        self.assertEqual(len(frames.reason_bytes("x" + "é" * 200)), 255)


class Messages(unittest.TestCase):
    def vectors(self) -> list[tuple[str, bytes, bytes, Any]]:
        lines = (CLIENT / "tests/messages.tsv").read_text().splitlines()
        split = [line.split("\t") for line in lines]
        return [
            (kind, bytes.fromhex(data), bytes.fromhex(payload), json.loads(meta))
            for kind, data, payload, meta in split
        ]

    def test_each_message_is_the_bytes_that_the_other_side_makes_of_it(self) -> None:
        seen = set()
        for kind, data, payload, meta in self.vectors():
            seen.add(kind)
            with self.subTest(kind=kind, meta=meta):
                getattr(self, f"check_{kind}")(data, payload, meta)
        self.assertEqual(seen, {"job", "unit", "result", "piece", "control", "report"})

    def check_job(self, data: bytes, payload: bytes, meta: Any) -> None:
        meta["command"] = tuple(bytes(word) for word in meta["command"])
        job = messages.Job(**meta)
        self.assertEqual(messages.decode_job(data), job)
        self.assertEqual(messages.encode_job(job), data)

    def check_unit(self, data: bytes, payload: bytes, meta: Any) -> None:
        unit = messages.UnitMeta(**meta)
        self.assertEqual(messages.decode_unit(data), (payload, unit))
        self.assertEqual(messages.encode(payload, messages.encode_unit_meta(unit)), data)

    def check_result(self, data: bytes, payload: bytes, meta: Any) -> None:
        said = meta["outcome"]
        value: Any
        name, value = (said, 0) if isinstance(said, str) else next(iter(said.items()))
        outcome = messages.Outcome(FIELDS[name], value)
        if name == "Failed":
            outcome = messages.failed(value + "cut off")
        result = messages.ResultMeta(**{**meta, "outcome": outcome})
        self.assertEqual(messages.encode(payload, messages.encode_result_meta(result)), data)

    def check_piece(self, data: bytes, payload: bytes, meta: Any) -> None:
        self.assertEqual(
            messages.encode_piece(meta["number"], messages.Piece[meta["kind"].upper()], payload), data
        )

    def check_control(self, data: bytes, payload: bytes, meta: Any) -> None:
        value: Any
        name, value = (meta, None) if isinstance(meta, str) else next(iter(meta.items()))
        controls: dict[str, Callable[[], messages.Control]] = {
            "Abort": lambda: messages.Abort(value),
            "Pause": messages.Pause,
            "Resume": messages.Resume,
            "Leave": lambda: messages.Leave(value["now"]),
        }
        control = controls[name]()
        self.assertEqual(messages.decode_control(data), control)
        self.assertEqual(messages.encode_control(control), data)

    def check_report(self, data: bytes, payload: bytes, meta: Any) -> None:
        text, (name, value) = payload.decode(), next(iter(meta.items()))
        if name == "Progress":
            made = messages.encode_progress(value["number"], value["millionths"], text)
        else:
            make = messages.encode_log if name == "Log" else messages.encode_bad
            made = make(value["number"], text)
        self.assertEqual(made, data)

    def test_no_bytes_do_harm(self) -> None:
        rng = random.Random(7)
        vectors = [data for kind, data, _, _ in self.vectors() if kind in ("job", "unit", "control")]
        refused = 0
        for _ in range(20_000):
            data = bytearray(rng.choice(vectors))
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            for decode in (messages.decode_job, messages.decode_unit, messages.decode_control):
                try:
                    decode(bytes(data[: rng.randrange(len(data) + 1)]))
                except HandoverError:
                    refused += 1
        self.assertGreater(refused, 1000)


class Reports(unittest.TestCase):
    def test_a_line_is_what_it_says(self) -> None:
        for line, expected in (
            (b"", None),
            (b"  \t", None),
            (b"log it goes  well ", reports.Log("it goes  well")),
            (b"log", reports.Log("")),
            (b"progress 0.4", reports.Progress(0.4, "")),
            (b"progress 40% half way", reports.Progress(0.4, "half way")),
            (b"progress 4/10 4 of 10", reports.Progress(0.4, "4 of 10")),
            (b"progress .5", reports.Progress(0.5, "")),
            (b"progress 1", reports.Progress(1.0, "")),
        ):
            with self.subTest(line=line):
                self.assertEqual(reports.parse(line), expected)
        for line in (b"progress", b"progress 2", b"progress -1", b"progress inf", b"progress 1e-1", b"progress 1/0",
                     b"progress 3/2", b"progress 101%", b"progress .", b"Progress 1", b"\xff", b"oops"):  # fmt: skip
            with self.subTest(line=line):
                self.assertIsInstance(reports.parse(line), reports.Bad)


def trace(document: str) -> list[tuple[str, bytes]]:
    """The turns of the worked trace of a document: who speaks, and what."""
    turns: list[tuple[str, bytes]] = []
    for line in (ROOT / "docs" / document).read_text().splitlines():
        found = re.match(r"(dialer|listener) +\| ([0-9a-f ]+?) *\|", line)
        if not found:
            continue
        speaker, data = found[1], bytes.fromhex(found[2])
        if turns and turns[-1][0] == speaker:
            turns[-1] = (speaker, turns[-1][1] + data)
        else:
            turns.append((speaker, data))
    return turns


def by_channel(data: bytes) -> dict[Any, list[Any]]:
    """The frames of each channel and end: the order of those of different ones is free."""
    sorted_out: dict[Any, list[Any]] = {}
    at = 0
    if data.startswith(frames.MAGIC):
        at = len(frames.PREAMBLE)
        sorted_out["preamble"] = [data[:at]]
    while found := frames.decode(data, at):
        frame, at = found
        ours = isinstance(frame, (frames.Open, frames.Data, frames.Settled)) or getattr(frame, "end", 2) == 1
        sorted_out.setdefault((getattr(frame, "channel", None), ours), []).append(frame)
    sorted_out["last"] = [frame]
    return sorted_out


class Traces(unittest.TestCase):
    """The client says what the documents say that it does."""

    def replay(self, document: str, name: str) -> None:
        self.link = Link(Settings(1, 2, name, channels=256), 0.0)
        self.turns = iter(trace(document))

    def says(self) -> None:
        speaker, data = next(self.turns)
        said = b""
        while part := self.link.output():
            said += part
        self.assertEqual(speaker, "dialer")
        self.assertEqual(by_channel(said), by_channel(data))

    def hears(self) -> list[Any]:
        speaker, data = next(self.turns)
        self.assertEqual(speaker, "listener")
        # A byte at a time: how it is cut changes nothing.
        return [event for byte in data for event in self.link.received(bytes([byte]), 0.0)]

    def kinds(self, events: list[Any]) -> list[str]:
        return [type(event).__name__ for event in events]

    def test_a_message(self) -> None:
        self.replay("protocol.md", "a")
        self.says()
        self.assertEqual(self.kinds(self.hears()), ["Welcome"])
        self.link.open("units")
        self.says()
        self.assertFalse(self.link.has_credit("units"))
        self.hears()
        self.link.send("units", b"hello")
        self.says()
        (taken,) = self.hears()
        self.assertEqual((taken.sequence, taken.settlement), (1, Settlement.TAKEN))
        self.link.close_send("units")
        self.says()
        self.assertEqual(self.kinds(self.hears()), ["ReceiverClosed"])
        self.link.goodbye(frames.GOODBYE_DONE)
        self.says()
        self.assertEqual(self.kinds(self.hears()), ["Goodbye"])
        self.assertIsNone(next(self.turns, None))

    def test_a_unit(self) -> None:
        self.replay("protocol-work.md", "w")
        self.says()
        self.link.want("job", True, 1 << 20)
        self.hears()
        self.says()
        (job,) = self.hears()
        self.assertEqual(messages.decode_job(job.data).command, (b"cat",))
        self.link.settle("job", 1, Settlement.TAKEN)
        self.link.close_receive("job")
        self.link.want("control", True, 100)
        self.link.want("units", True, 1 << 20)
        for name in ("pieces", "reports", "lease", "results"):
            self.link.open(name)
        self.says()
        self.hears()
        self.link.send("lease", b".")
        self.says()
        beat, unit = self.hears()
        self.assertEqual(messages.decode_unit(unit.data), (b"7\n", messages.UnitMeta(1)))
        self.link.want("units", False)
        self.link.settle("units", 1, Settlement.TAKEN)
        self.link.send("reports", messages.encode_progress(1, 500_000, "half"))
        self.says()
        self.hears()
        meta = messages.ResultMeta(
            1, messages.Outcome(messages.Kind.EXITED), 1_700_000_000_000_000, 1500, 1600, 1, 3
        )
        self.link.send("results", messages.encode(b"49\n", messages.encode_result_meta(meta)))
        self.says()
        (taken,) = self.hears()
        self.assertEqual((taken.channel, taken.settlement), ("results", Settlement.TAKEN))
        self.link.want("units", True)
        self.says()
        self.assertEqual(self.kinds(self.hears())[-1], "Goodbye")
        self.link.goodbye(frames.GOODBYE_DONE)
        self.says()
        self.assertIsNone(next(self.turns, None))
