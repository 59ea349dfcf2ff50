"""A link obeys credit, and does not bear a peer that breaks the protocol."""

from __future__ import annotations

import random
import unittest
from typing import Any

from handover_worker import LinkLost, ProtocolError, frames
from handover_worker.errors import VersionMismatch
from handover_worker.frames import (
    Close,
    Data,
    Declined,
    Deny,
    Frame,
    Goodbye,
    Grant,
    Hello,
    Open,
    Ping,
    Poison,
    Pong,
    Resumed,
    Returned,
    Revoke,
    Revoked,
    Settled,
    Taken,
    Withdraw,
)
from handover_worker.link import Link, Settings, Settlement


class LinkCase(unittest.TestCase):
    def setUp(self) -> None:
        self.link = Link(Settings(1, 2, "w", message_bytes=1 << 20, lease_ms=1000), 0.0)
        self.link.output()
        self.link.received(frames.PREAMBLE, 0.0)
        self.hears(Hello(1, 3, 1, 30_000, 1 << 20, 16, "c", b""))

    def hears(self, *said: Frame, now: float = 0.0) -> list[Any]:
        return self.link.received(b"".join(map(frames.encode, said)), now)

    def says(self) -> list[Frame]:
        data, at, all_frames = b"", 0, []
        while part := self.link.output():
            data += part
        while found := frames.decode(data, at):
            frame, at = found
            all_frames.append(frame)
        return all_frames

    def refuses(self, pattern: str, *said: Frame) -> None:
        with self.assertRaisesRegex(ProtocolError, pattern):
            self.hears(*said)


class Sending(LinkCase):
    def setUp(self) -> None:
        super().setUp()
        self.link.open("results")
        self.assertEqual(self.says(), [Open(0, 1, "results")])

    def test_no_byte_leaves_beyond_the_grant(self) -> None:
        self.hears(Grant(0, 1, 3))
        self.link.send("results", b"abcdefgh")
        self.assertEqual(self.says(), [Data(0, 1, 8, b"abc")])
        self.assertEqual(self.says(), [])
        self.hears(Grant(0, 1, 5), Grant(0, 1, 4))
        self.assertEqual(self.says(), [Data(0, 1, 8, b"de")])
        self.hears(Grant(0, 1, 100))
        self.assertEqual(self.says(), [Data(0, 1, 8, b"fgh")])
        self.assertFalse(self.link.has_credit("results"))

    def test_a_lower_grant_changes_nothing(self) -> None:
        self.hears(Grant(0, 2, 9), Grant(0, 0, 0))
        self.link.send("results", b"ab")
        self.assertEqual(self.says(), [Data(0, 1, 2, b"ab")])
        self.assertTrue(self.link.has_credit("results"))

    def test_without_byte_credit_a_message_is_announced(self) -> None:
        self.hears(Grant(0, 1, 0))
        self.link.send("results", b"abc")
        self.assertEqual(self.says(), [Data(0, 1, 3, b"")])
        self.assertEqual(self.says(), [])

    def test_a_long_message_goes_in_chunks(self) -> None:
        self.hears(Grant(0, 1, 1 << 20))
        self.link.send("results", bytes(200_000))
        lengths = [len(frame.chunk) for frame in self.says() if isinstance(frame, Data)]
        self.assertEqual(lengths, [65_536, 65_536, 65_536, 200_000 - 3 * 65_536])

    def test_what_is_asked_back_and_not_used_is_given_back(self) -> None:
        self.hears(Grant(0, 1, 100), Revoke(0))
        self.assertFalse(self.link.has_credit("results"))
        self.assertEqual(self.says(), [Revoked(0, 0, 0)])
        self.hears(Grant(0, 1, 3))
        self.link.send("results", b"abcd")
        self.hears(Revoke(0))
        self.assertEqual(self.says(), [Revoked(0, 1, 4), Data(0, 1, 4, b"abc")])

    def test_each_outcome_is_told_and_confirmed(self) -> None:
        settlements = []
        for number in range(1, 17):
            self.hears(Grant(0, number, 100))
            self.link.send("results", b"x")
            said = self.says()
            self.assertEqual(said, [Data(0, number, 1, b"x")])
            outcomes: list[Frame] = [
                Taken(0, number),
                Declined(0, number),
                Returned(0, number, False),
                Returned(0, number, True),
            ]
            settlements += [event.settlement for event in self.hears(outcomes[number % 4])]
        order = [Settlement.DECLINED, Settlement.RETURNED, Settlement.IN_DOUBT, Settlement.TAKEN]
        self.assertEqual(settlements, order * 4)
        self.assertEqual(self.says(), [Settled(0, 16, ())])

    def test_a_receiver_that_is_gone_is_told_and_answered(self) -> None:
        self.hears(Grant(0, 1, 2))
        self.link.send("results", b"abcd")
        self.assertEqual(self.says(), [Data(0, 1, 4, b"ab")])
        (event,) = self.hears(Deny(0, 2, "not you"))
        self.assertEqual((event.channel, event.reason), ("results", "not you"))
        self.assertEqual(self.says(), [Close(0, 1)])
        self.link.open("results")
        self.assertEqual(self.says(), [Open(0, 2, "results")])
        self.refuses("not open", Grant(1, 2, 9))

    def test_an_outcome_that_cannot_be_is_refused(self) -> None:
        self.refuses("not under way", Taken(0, 1))
        self.setUp()
        self.refuses("not open", Taken(5, 1))


class Receiving(LinkCase):
    def setUp(self) -> None:
        super().setUp()
        self.link.want("units", False, 100_000)
        self.assertEqual(self.hears(Open(0, 1, "units")), [])
        self.assertEqual(self.says(), [], "nobody waits")

    def test_one_message_is_granted_when_somebody_waits(self) -> None:
        self.link.want("units", True)
        self.assertEqual(self.says(), [Grant(0, 1, 65_536)])
        (message,) = self.hears(Data(0, 1, 2, b"ab"))
        self.assertEqual((message.data, self.says()), (b"ab", []))
        self.link.settle("units", 1, Settlement.TAKEN)
        self.assertEqual(self.says(), [Taken(0, 1), Grant(0, 2, 65_538)])
        self.link.want("units", False)
        self.assertEqual(self.says(), [Revoke(0)])
        (message,) = self.hears(Data(0, 2, 1, b"c"), Revoked(0, 2, 3))
        self.link.settle("units", message.sequence, Settlement.DECLINED)
        self.assertEqual(self.says(), [Declined(0, 2)])
        self.link.want("units", True)
        self.assertEqual(self.says(), [Grant(0, 3, 65_539)])

    def test_a_grant_that_was_not_said_is_taken_back_in_silence(self) -> None:
        self.link.want("units", True)
        self.link.want("units", False)
        self.assertEqual(self.says(), [])

    def test_the_rest_of_a_long_message_is_granted_when_its_length_is_known(self) -> None:
        self.link.want("units", True)
        self.says()
        self.hears(Data(0, 1, 90_000, bytes(65_536)))
        self.assertEqual(self.says(), [Grant(0, 1, 90_000)])
        (message,) = self.hears(Data(0, 1, 90_000, bytes(90_000 - 65_536)))
        self.assertEqual(len(message.data), 90_000)

    def test_bytes_beyond_the_grant_are_refused(self) -> None:
        self.link.want("units", True)
        self.says()
        self.link.want("units", False)
        self.assertEqual(self.says(), [Revoke(0)])
        # Until REVOKED comes no more is granted.
        self.hears(Data(0, 1, 70_000, bytes(65_536)))
        self.assertEqual(self.says(), [])
        self.refuses("without credit", Data(0, 1, 70_000, b"x"))

    def test_a_message_that_was_begun_is_finished_after_a_revocation(self) -> None:
        self.link.want("units", True)
        self.says()
        self.link.want("units", False)
        self.says()
        self.hears(Data(0, 1, 70_000, bytes(65_536)), Revoked(0, 1, 70_000))
        self.assertEqual(self.says(), [Grant(0, 1, 70_000)])
        (message,) = self.hears(Data(0, 1, 70_000, bytes(70_000 - 65_536)))
        self.assertEqual(len(message.data), 70_000)

    def test_a_withdrawn_message_goes_back(self) -> None:
        self.link.want("units", True)
        self.says()
        self.hears(Data(0, 1, 90, b"part"), Withdraw(0, 1))
        self.assertEqual(self.says(), [Returned(0, 1, False), Grant(0, 2, 65_536 + 90)])
        self.hears(Withdraw(0, 2))
        self.assertEqual(self.says()[0], Returned(0, 2, False))

    def test_at_most_64_are_granted_and_not_confirmed(self) -> None:
        self.link.want("units", True)
        for number in range(1, 65):
            self.assertIsInstance(self.says()[-1], Grant)
            self.hears(Data(0, number, 0, b""))
            self.link.settle("units", number, Settlement.TAKEN)
        self.assertEqual(self.says(), [Taken(0, 64)])
        self.hears(Settled(0, 64, ()))
        self.assertIsInstance(self.says()[-1], Grant)

    def test_a_closed_channel_is_answered_and_forgotten(self) -> None:
        (event,) = self.hears(Poison(0, 1, "broken"))
        self.assertEqual((event.channel, event.reason), ("units", "broken"))
        self.assertEqual(self.says(), [Close(0, 2)])
        self.hears(Withdraw(0, 1), Settled(0, 1, ()), Open(0, 2, "units"))

    def test_what_breaks_the_protocol_is_refused(self) -> None:
        self.refuses("without credit", Data(0, 1, 1, b"x"))
        self.setUp()
        self.link.want("units", True)
        self.says()
        self.refuses("limit is 100000", Data(0, 1, 100_001, b"x"))

    def test_chunks_that_do_not_fit_are_refused(self) -> None:
        for bad in (Data(0, 1, 9, b"x"), Data(0, 2, 10, b"x"), Data(0, 1, 10, b""), Data(0, 1, 10, bytes(10))):
            with self.subTest(bad=bad):
                self.setUp()
                self.link.want("units", True)
                self.says()
                self.hears(Data(0, 1, 10, b"ab"))
                self.refuses("does not fit", bad)

    def test_other_violations_are_refused(self) -> None:
        for pattern, bad in (
            ("second HELLO", Hello(1, 3, 1, 30_000, 1, 1, "c", b"")),
            ("answers no PING", Pong(1)),
            ("limit is 16", Open(16, 2, "more")),
            ("in use", Open(1, 2, "units")),
            ("in use", Open(0, 2, "more")),
            ("opening number", Open(1, 1, "more")),
            ("does not fit", Revoked(0, 0, 0)),
            ("never begun", Withdraw(0, 1)),
            ("never said", Settled(0, 1, ())),
            ("first connection", Resumed()),
        ):
            with self.subTest(bad=bad):
                self.setUp()
                self.refuses(pattern, bad)


class Life(LinkCase):
    def test_a_ping_is_answered_and_silence_is_broken(self) -> None:
        self.hears(Ping(4), Ping(9))
        self.assertEqual(self.says(), [Pong(9)])
        self.link.tick(0.2)
        self.assertEqual(self.says(), [])
        self.link.tick(0.25)
        self.assertEqual(self.says(), [Ping(1)])
        self.hears(Pong(1), now=0.3)
        self.link.tick(1.29)
        with self.assertRaises(LinkLost):
            self.link.tick(1.3)

    def test_outcomes_come_before_the_last_word_and_nothing_after(self) -> None:
        self.link.want("units", True, 10)
        self.hears(Open(0, 1, "units"))
        self.says()
        self.hears(Data(0, 1, 1, b"x"))
        self.link.settle("units", 1, Settlement.TAKEN)
        self.link.goodbye(1, "leaving")
        self.assertEqual(self.says(), [Taken(0, 1), Close(0, 2), Goodbye(1, "leaving")])
        self.hears(Ping(1))
        self.assertEqual(self.says(), [])

    def test_strangers_and_other_versions_are_told_apart(self) -> None:
        link = Link(Settings(1, 2, "w"), 0.0)
        with self.assertRaisesRegex(ProtocolError, "not the handover protocol"):
            link.received(b"HTTP", 0.0)
        self.assertFalse(link.is_understood)
        link = Link(Settings(1, 2, "w"), 0.0)
        with self.assertRaises(VersionMismatch):
            link.received(b"handover\x09\x02", 0.0)
        link = Link(Settings(1, 2, "w"), 0.0)
        with self.assertRaisesRegex(ProtocolError, "before the HELLO"):
            link.received(frames.PREAMBLE + frames.encode(Ping(1)), 0.0)

    def test_no_bytes_make_it_fail_otherwise(self) -> None:
        rng = random.Random(7)
        some: list[Frame] = [
            Open(0, 1, "units"), Open(1, 2, "b"), Data(0, 1, 3, b"abc"), Data(0, 2, 9, b"abc"),
            Data(0, 2, 9, b"defghi"),
            Grant(0, 1, 9), Taken(0, 1), Declined(0, 1), Returned(0, 1, True), Revoke(0), Revoked(0, 1, 3),
            Withdraw(0, 2), Withdraw(0, 1), Settled(0, 1, ()), Close(0, 1), Close(0, 2), Poison(0, 1, ""),
            Deny(0, 1, ""), Ping(1), Pong(1), Goodbye(0, ""),
        ]  # fmt: skip
        ended = 0
        for _ in range(3000):
            self.setUp()
            self.link.open("results")
            self.link.want("units", True, 1000)
            self.says()
            try:
                for _ in range(12):
                    for event in self.hears(rng.choice(some)):
                        if hasattr(event, "data"):
                            self.link.settle(event.channel, event.sequence, rng.choice(list(Settlement)))
                    if self.link.has_credit("results"):
                        self.link.send("results", b"xyz")
                    self.link.want("units", rng.random() < 0.7)
                    self.says()
            except ProtocolError:
                ended += 1
        self.assertGreater(ended, 100)
