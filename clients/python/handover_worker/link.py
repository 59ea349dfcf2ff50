"""The dialer's side of one link on one connection: bytes in, events out; orders in, bytes out.

It owns no socket and no clock. A session that has lost its connection is not resumed: a worker's units go to others
at once, so there is nothing to come back for (`docs/protocol-work.md`, "The link").
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from typing import Union

from . import frames
from .errors import LinkLost, ProtocolError, VersionMismatch
from .frames import CHUNK_BYTES_MAX, CREDIT_MESSAGES_MAX, RECEIVER, SENDER, Goodbye

SETTLED_OWED_MAX = 16
OUTPUT_BYTES_MAX = CHUNK_BYTES_MAX
CHANNELS = 16


class Settlement(enum.Enum):
    """What became of a message."""

    TAKEN = "taken"
    RETURNED = "returned"
    DECLINED = "declined"
    IN_DOUBT = "in doubt"


@dataclass(frozen=True)
class Settings:
    """Who this side is, and what it accepts."""

    session: int
    incarnation: int
    name: str
    token: bytes = b""
    lease_ms: int = 30_000
    message_bytes: int = 16 << 20
    channels: int = CHANNELS


# ---- Events ----


@dataclass(frozen=True)
class Welcome:
    """The other side has said who it is."""

    name: str


@dataclass(frozen=True)
class Message:
    """A message has come in whole. `Link.settle` says what became of it."""

    channel: str
    sequence: int
    data: bytes


@dataclass(frozen=True)
class Outcome:
    """What became of a message that this side sent."""

    channel: str
    sequence: int
    settlement: Settlement


@dataclass(frozen=True)
class SenderClosed:
    """Nothing more comes on a channel."""

    channel: str
    reason: str


@dataclass(frozen=True)
class ReceiverClosed:
    """Nobody takes any more on a channel; what is under way there was not taken."""

    channel: str
    reason: str


Event = Union[Welcome, Message, Outcome, SenderClosed, ReceiverClosed, Goodbye]


# ---- Channels ----


@dataclass
class _Sending:
    """The sending end of a channel."""

    name: str
    number: int
    opened: bool = False
    messages_granted: int = 0
    bytes_granted: int = 0
    messages_begun: int = 0
    bytes_sent: int = 0
    # The message that is being said, how far, and whether a chunk of it was.
    data: bytes | None = None
    offset: int = 0
    begun: bool = False
    # Messages wholly said whose outcome is open.
    open: list[int] = field(default_factory=list)
    heard: int = 0
    owed: int = 0
    revoked: bool = False
    closing: bool = False
    closed: bool = False
    peer_closed: bool = False

    def has_credit(self) -> bool:
        """Whether a message may begin."""
        return (
            self.opened
            and not (self.closing or self.peer_closed)
            and self.data is None
            and self.messages_begun < self.messages_granted
            and len(self.open) < CREDIT_MESSAGES_MAX
        )

    def is_over(self) -> bool:
        return self.closed and self.peer_closed and self.owed == 0


@dataclass
class _Receiving:
    """The receiving end of a channel, from when its sender opened it."""

    name: str
    number: int
    messages_granted: int = 0
    bytes_granted: int = 0
    grant_unsaid: bool = False
    revoke_unsaid: bool = False
    revoke_said: bool = False
    messages_begun: int = 0
    bytes_arrived: int = 0
    # The message that is arriving: its length, and what came of it.
    total: int | None = None
    parts: bytearray = field(default_factory=bytearray)
    arrived: int = 0
    # Arrived and not settled; settled and not said; said and not confirmed.
    delivered: set[int] = field(default_factory=set)
    unsaid: list[tuple[int, Settlement]] = field(default_factory=list)
    unconfirmed: set[int] = field(default_factory=set)
    confirmed: int = 0
    closing: bool = False
    closed: bool = False
    peer_closed: bool = False

    def is_over(self) -> bool:
        return self.closed and self.peer_closed and not self.unsaid and not self.unconfirmed


class Link:
    """One link. Time is in seconds of any clock that does not go back."""

    def __init__(self, settings: Settings, now: float) -> None:
        self.settings = settings
        self.peer: frames.Hello | None = None
        self.goodbye_heard: Goodbye | None = None
        self.goodbye_said = False
        # The other side speaks this protocol, in whatever version.
        self.is_understood = False
        self._goodbye: Goodbye | None = None
        self._preamble_seen = False
        self._greeted = False
        # After a violation nothing of what the other side says is kept.
        self._deaf = False
        self._input = bytearray()
        self._sends: dict[int, _Sending] = {}
        self._receives: dict[int, _Receiving] = {}
        self._openings = 0
        self._peer_openings = 0
        # The channels on which somebody waits, or not, by name; and the longest message that each takes.
        self._wanted: dict[str, bool] = {}
        self._limits: dict[str, int] = {}
        self._lease = settings.lease_ms / 1000
        self._now = self._heard_at = self._said_at = now
        self._pings = 0
        self._pong_due: int | None = None

    # ---- Bytes in ----

    def received(self, data: bytes, now: float) -> list[Event]:
        """Takes what has come from the socket. Raises `ProtocolError` if the peer broke the protocol."""
        self._now = max(self._now, now)
        if self.goodbye_heard is not None or self._deaf:
            return []
        try:
            return self._take(data)
        except ProtocolError:
            self._deaf = True
            self._input.clear()
            raise

    def _take(self, data: bytes) -> list[Event]:
        self._input += data
        if self.peer is not None:
            self._heard_at = self._now
        if not self._preamble_seen and not self._read_preamble():
            return []
        events: list[Event] = []
        at = 0
        while self.goodbye_heard is None and (found := frames.decode(self._input, at)) is not None:
            frame, at = found
            event = self._act(frame)
            if event is not None:
                events.append(event)
        del self._input[:at]
        return events

    def _read_preamble(self) -> bool:
        seen = bytes(self._input[: len(frames.MAGIC)])
        if not frames.MAGIC.startswith(seen):
            raise ProtocolError("this is not the handover protocol")
        if len(self._input) < len(frames.PREAMBLE):
            return False
        self.is_understood = True
        newest, oldest = self._input[8:10]
        if min(newest, frames.VERSION) < max(oldest, frames.VERSION):
            raise VersionMismatch(f"the peer speaks version {oldest} to {newest} of the protocol, this side 1")
        del self._input[:10]
        self._preamble_seen = True
        return True

    def _act(self, frame: frames.Frame) -> Event | None:
        if self.peer is None and not isinstance(frame, (frames.Hello, Goodbye)):
            raise ProtocolError(f"a {type(frame).__name__.upper()} frame came before the HELLO")
        match frame:
            case frames.Hello():
                return self._welcome(frame)
            case Goodbye():
                self.goodbye_heard = frame
                return frame
            case frames.Ping():
                self._pong_due = frame.number
            case frames.Pong():
                if not 1 <= frame.number <= self._pings:
                    raise ProtocolError("a PONG came that answers no PING")
            case frames.Open():
                self._opened(frame)
            case frames.Data():
                return self._data(frame)
            case frames.Revoked():
                self._revoked(frame)
            case frames.Withdraw():
                self._withdraw(frame)
            case frames.Settled():
                self._confirmed(frame)
            case frames.Close(end=1):
                return self._sender_closed(frame.channel, "", False)
            case frames.Poison(end=1):
                return self._sender_closed(frame.channel, frame.reason, True)
            case frames.Grant():
                sending = self._sending(frame)
                sending.messages_granted = max(sending.messages_granted, frame.messages)
                sending.bytes_granted = max(sending.bytes_granted, frame.bytes)
            case frames.Taken():
                return self._settled(frame, Settlement.TAKEN)
            case frames.Declined():
                return self._settled(frame, Settlement.DECLINED)
            case frames.Returned():
                return self._settled(frame, Settlement.IN_DOUBT if frame.in_doubt else Settlement.RETURNED)
            case frames.Revoke():
                sending = self._sending(frame)
                sending.revoked = not (sending.closed or sending.peer_closed)
                sending.messages_granted = sending.messages_begun
            case frames.Close():
                return self._receiver_closed(frame, "")
            case frames.Poison() | frames.Deny():
                return self._receiver_closed(frame, frame.reason)
            case frames.Resume() | frames.Resumed():
                raise ProtocolError(f"a {type(frame).__name__.upper()} came on a first connection")
        return None

    def _welcome(self, hello: frames.Hello) -> Welcome:
        if self.peer is not None:
            raise ProtocolError("a second HELLO came")
        if hello.session != self.settings.session or hello.epoch != 1:
            raise ProtocolError("the HELLO is malformed: it is of another session or connection")
        self.peer = hello
        self._lease = min(self._lease, hello.lease_ms / 1000)
        self._heard_at = self._now
        return Welcome(hello.name)

    # ---- Channels on which this side sends ----

    def open(self, name: str) -> None:
        """Opens a channel. Once the peer is known."""
        limit = 0 if self.peer is None else min(self.peer.channels, self.settings.channels)
        number = next((number for number in range(limit) if number not in self._sends), None)
        if number is None:
            raise ProtocolError(f"{limit} channels are open, which is the limit of this link")
        self._sends[number] = _Sending(name, number)

    def _send_end(self, name: str) -> _Sending | None:
        return next((sending for sending in self._sends.values() if sending.name == name), None)

    def has_credit(self, name: str) -> bool:
        """Whether the other side waits for a message on the channel, so that one may be sent."""
        sending = self._send_end(name)
        return sending is not None and self._goodbye is None and sending.has_credit()

    def send(self, name: str, data: bytes) -> int:
        """Sends a message on a channel that has credit; returns its number."""
        sending = self._send_end(name)
        if sending is None or not self.has_credit(name):
            raise RuntimeError(f"a message was sent on {name!r} without credit")
        if self.peer is None or len(data) > self.peer.message_bytes:
            raise ValueError(f"the message has {len(data)} bytes, more than the other side accepts")
        sending.messages_begun += 1
        sending.data, sending.offset, sending.begun = data, 0, False
        return sending.messages_begun

    def close_send(self, name: str) -> None:
        """Sends nothing more on a channel."""
        if (sending := self._send_end(name)) is not None:
            sending.closing = True

    def _sending(
        self, frame: frames.Grant | frames.Taken | frames.Declined | frames.Returned | frames.Revoke | frames.Close
        | frames.Poison | frames.Deny,
    ) -> _Sending:  # fmt: skip
        sending = self._sends.get(frame.channel)
        if sending is None or not sending.opened:
            raise ProtocolError(
                f"a {type(frame).__name__.upper()} frame came for channel {frame.channel}, which is not open"
            )
        return sending

    def _settled(self, frame: frames.Taken | frames.Declined | frames.Returned, settlement: Settlement) -> Event:
        sending = self._sending(frame)
        if frame.sequence not in sending.open:
            raise ProtocolError(
                f"message {frame.sequence} on channel {frame.channel} was settled, and is not under way"
            )
        sending.open.remove(frame.sequence)
        sending.heard = max(sending.heard, frame.sequence)
        sending.owed += 1
        return Outcome(sending.name, frame.sequence, settlement)

    def _receiver_closed(self, frame: frames.Close | frames.Poison | frames.Deny, reason: str) -> Event:
        sending = self._sending(frame)
        if sending.peer_closed:
            raise ProtocolError(f"channel {frame.channel} was closed twice")
        sending.peer_closed = sending.closing = True
        sending.revoked = False
        sending.data = None
        sending.open.clear()
        self._forget()
        return ReceiverClosed(sending.name, reason)

    # ---- Channels on which this side receives ----

    def want(self, name: str, wanted: bool, limit: int | None = None) -> None:
        """Says whether somebody waits for a message on a channel, which the other side may open later.

        `limit` is the longest message that it takes.
        """
        self._wanted[name] = wanted
        if limit is not None:
            self._limits[name] = limit
        for receiving in self._receives.values():
            if receiving.name == name:
                self._grant_or_revoke(receiving)

    def close_receive(self, name: str) -> None:
        """Takes nothing more on a channel."""
        self.want(name, False)
        for receiving in self._receives.values():
            if receiving.name == name:
                receiving.closing = True

    def settle(self, name: str, sequence: int, settlement: Settlement) -> None:
        """Says what became of a message."""
        for receiving in self._receives.values():
            if receiving.name == name and sequence in receiving.delivered:
                receiving.delivered.remove(sequence)
                receiving.unsaid.append((sequence, settlement))
                self._grant_or_revoke(receiving)

    def _grant_or_revoke(self, receiving: _Receiving) -> None:
        """Has at most one message granted and not settled, and that only while somebody waits."""
        if receiving.closing or receiving.peer_closed:
            return
        outstanding = receiving.messages_granted - receiving.messages_begun
        if self._wanted.get(receiving.name, False):
            busy = receiving.revoke_unsaid or receiving.revoke_said or receiving.total is not None
            window = receiving.messages_granted - receiving.confirmed
            if outstanding == 0 and not busy and not receiving.delivered and window < CREDIT_MESSAGES_MAX:
                receiving.messages_granted += 1
                receiving.bytes_granted = max(receiving.bytes_granted, receiving.bytes_arrived + CHUNK_BYTES_MAX)
                receiving.grant_unsaid = True
        elif outstanding > 0 and not receiving.revoke_said:
            if receiving.grant_unsaid and receiving.total is None:
                # The other side never heard of it.
                receiving.messages_granted -= outstanding
                receiving.grant_unsaid = False
            else:
                receiving.revoke_unsaid = True

    def _opened(self, frame: frames.Open) -> None:
        number = frame.channel
        if number >= self.settings.channels:
            raise ProtocolError(f"channel {number} was opened, and the limit is {self.settings.channels} channels")
        names = {receiving.name for receiving in self._receives.values()}
        if number in self._receives or frame.name in names:
            raise ProtocolError(f"channel {number} was opened while its number or name is in use")
        if frame.opening <= self._peer_openings:
            raise ProtocolError(f"channel {number} was opened with an opening number that does not fit")
        self._peer_openings = frame.opening
        receiving = self._receives[number] = _Receiving(frame.name, number)
        if self._goodbye is not None:
            receiving.closing = True
        self._grant_or_revoke(receiving)

    def _receiving(self, frame: frames.Data | frames.Revoked | frames.Close | frames.Poison) -> _Receiving:
        receiving = self._receives.get(frame.channel)
        if receiving is None:
            raise ProtocolError(
                f"a {type(frame).__name__.upper()} frame came for channel {frame.channel}, which is not open"
            )
        return receiving

    def _data(self, frame: frames.Data) -> Event | None:
        receiving = self._receiving(frame)
        sequence, total, chunk = frame.sequence, frame.total, frame.chunk
        misfit = ProtocolError(f"a chunk of message {sequence} on channel {frame.channel} does not fit")
        no_credit = ProtocolError(f"message {sequence} on channel {frame.channel} came without credit")
        if receiving.peer_closed:
            raise misfit
        first = receiving.total is None
        if first:
            if sequence != receiving.messages_begun + 1:
                raise misfit
            limit = min(self.settings.message_bytes, self._limits.get(receiving.name, 0))
            if total > limit:
                raise ProtocolError(
                    f"message {sequence} on channel {receiving.name!r} has {total} bytes, and the limit is {limit}"
                )
            if sequence > receiving.messages_granted:
                raise no_credit
            receiving.messages_begun, receiving.total, receiving.arrived = sequence, total, 0
        elif sequence != receiving.messages_begun or total != receiving.total or not chunk:
            raise misfit
        if receiving.arrived + len(chunk) > total or (not chunk and not first):
            raise misfit
        receiving.arrived += len(chunk)
        receiving.bytes_arrived += len(chunk)
        if chunk and receiving.bytes_arrived > receiving.bytes_granted:
            raise no_credit
        if not receiving.closing:
            receiving.parts += chunk
        if receiving.arrived < total:
            self._grant_rest(receiving, total)
            return None
        data, receiving.parts, receiving.total = bytes(receiving.parts), bytearray(), None
        if receiving.closing:
            return None
        receiving.delivered.add(sequence)
        return Message(receiving.name, sequence, data)

    def _grant_rest(self, receiving: _Receiving, total: int) -> None:
        needed = receiving.bytes_arrived + total - receiving.arrived
        revoking = receiving.revoke_said or receiving.revoke_unsaid
        if needed > receiving.bytes_granted and not receiving.closing and not revoking:
            receiving.bytes_granted = needed
            receiving.grant_unsaid = True

    def _revoked(self, frame: frames.Revoked) -> None:
        receiving = self._receiving(frame)
        fits = (
            receiving.revoke_said
            and receiving.messages_begun <= frame.sequence <= receiving.messages_granted
            and frame.bytes >= receiving.bytes_arrived
        )
        if not fits:
            raise ProtocolError(f"a REVOKED came for channel {frame.channel} that does not fit")
        receiving.revoke_said = False
        receiving.messages_granted = frame.sequence
        receiving.bytes_granted = min(receiving.bytes_granted, frame.bytes)
        if receiving.total is not None:
            self._grant_rest(receiving, receiving.total)
        self._grant_or_revoke(receiving)

    def _withdraw(self, frame: frames.Withdraw) -> None:
        receiving, sequence = self._receives.get(frame.channel), frame.sequence
        if receiving is None:
            return
        if receiving.total is not None and sequence == receiving.messages_begun:
            receiving.bytes_arrived += receiving.total - receiving.arrived
            receiving.total, receiving.parts = None, bytearray()
        elif (
            receiving.total is None
            and sequence == receiving.messages_begun + 1
            and sequence <= receiving.messages_granted
            and not receiving.peer_closed
        ):
            receiving.messages_begun = sequence
        elif not 1 <= sequence <= receiving.messages_begun:
            raise ProtocolError(f"message {sequence} on channel {frame.channel} was withdrawn, and never begun")
        else:
            return
        if not receiving.closing:
            receiving.unsaid.append((sequence, Settlement.RETURNED))
        self._grant_or_revoke(receiving)

    def _confirmed(self, frame: frames.Settled) -> None:
        receiving = self._receives.get(frame.channel)
        if receiving is None:
            return
        undecided = receiving.delivered | {sequence for sequence, _ in receiving.unsaid}
        if frame.sequence > receiving.messages_begun or any(
            sequence <= frame.sequence and sequence not in frame.open for sequence in undecided
        ):
            raise ProtocolError(f"outcomes on channel {frame.channel} were confirmed that were never said")
        keep = {number for number in receiving.unconfirmed if number > frame.sequence or number in frame.open}
        receiving.confirmed += len(receiving.unconfirmed) - len(keep)
        receiving.unconfirmed = keep
        self._grant_or_revoke(receiving)
        self._forget()

    def _sender_closed(self, channel: int, reason: str, poisoned: bool) -> Event:
        receiving = self._receiving(frames.Close(channel, SENDER))
        early = receiving.total is not None and not receiving.closing and not poisoned
        if receiving.peer_closed or early:
            raise ProtocolError(f"channel {channel} was closed twice, or in the middle of a message")
        receiving.peer_closed = True
        receiving.revoke_said = receiving.revoke_unsaid = receiving.grant_unsaid = False
        receiving.total, receiving.parts = None, bytearray()
        # Whoever waits there has seen the end with this event.
        receiving.closing = True
        self._forget()
        return SenderClosed(receiving.name, reason)

    def _forget(self) -> None:
        for sends in [number for number, sending in self._sends.items() if sending.is_over()]:
            del self._sends[sends]
        for receives in [number for number, receiving in self._receives.items() if receiving.is_over()]:
            del self._receives[receives]

    # ---- The end ----

    def goodbye(self, code: int, reason: str = "") -> None:
        """Says the last word, once all outcomes that are known are said. The first one counts."""
        if self._goodbye is None:
            self._goodbye = Goodbye(code, reason)
            for receiving in self._receives.values():
                receiving.closing = True

    @property
    def is_parting(self) -> bool:
        """Whether this side has its last word ready or said."""
        return self._goodbye is not None

    def in_doubt(self, name: str) -> bool:
        """Whether a message of the channel was wholly said, and its outcome is open."""
        sending = self._send_end(name)
        return sending is not None and bool(sending.open)

    # ---- Time ----

    def tick(self, now: float) -> None:
        """Time has gone on. Raises `LinkLost` if the other side was silent for the lease."""
        self._now = max(self._now, now)
        if self.peer is not None and self._now - self._heard_at >= self._lease:
            raise LinkLost(f"the other side was silent for the lease of {self._lease:g} s")

    def deadline(self) -> float:
        """When to tick, and look for output, at the latest."""
        return min(self._heard_at + self._lease, self._said_at + self._lease / 4)

    # ---- Bytes out ----

    def output(self) -> bytes:
        """What is to be said next. To be called when the socket has taken all that was said before."""
        out = bytearray()
        if not self.goodbye_said:
            self._generate(out)
        if out:
            self._said_at = self._now
        return bytes(out)

    def _generate(self, out: bytearray) -> None:
        if not self._greeted:
            self._greeted = True
            ours = self.settings
            out += frames.PREAMBLE
            out += frames.encode(
                frames.Hello(
                    ours.session, ours.incarnation, 1, ours.lease_ms, ours.message_bytes, ours.channels, ours.name,
                    ours.token,
                )
            )  # fmt: skip
        if self.peer is not None:
            self._generate_channels(out)
        if self._goodbye is not None and len(out) < OUTPUT_BYTES_MAX:
            out += frames.encode(self._goodbye)
            self.goodbye_said = True

    def _generate_channels(self, out: bytearray) -> None:
        if self._pong_due is not None:
            out += frames.encode(frames.Pong(self._pong_due))
            self._pong_due = None
        if self._now - self._said_at >= self._lease / 4:
            self._pings += 1
            out += frames.encode(frames.Ping(self._pings))
        for receiving in self._receives.values():
            self._say_receive(receiving, out)
        if self._goodbye is None:
            ready = deque(self._sends.values())
            while ready and len(out) < OUTPUT_BYTES_MAX:
                sending = ready.popleft()
                if self._say_send(sending, out):
                    # Chunks of several channels take turns.
                    ready.append(sending)
        self._forget()

    def _say_receive(self, receiving: _Receiving, out: bytearray) -> None:
        for sequence, settlement in receiving.unsaid:
            out += frames.encode(_outcome_frame(receiving.number, sequence, settlement))
            receiving.unconfirmed.add(sequence)
        receiving.unsaid.clear()
        if receiving.closing:
            if not receiving.closed:
                receiving.closed = True
                receiving.delivered.clear()
                receiving.parts = bytearray()
                out += frames.encode(frames.Close(receiving.number, RECEIVER))
        elif receiving.revoke_unsaid:
            receiving.revoke_unsaid, receiving.revoke_said = False, True
            out += frames.encode(frames.Revoke(receiving.number))
        elif receiving.grant_unsaid and not receiving.revoke_said:
            receiving.grant_unsaid = False
            out += frames.encode(
                frames.Grant(receiving.number, receiving.messages_granted, receiving.bytes_granted)
            )

    def _say_send(self, sending: _Sending, out: bytearray) -> bool:
        """Says the next frame of the channel; returns whether there was one."""
        number = sending.number
        if not sending.opened:
            sending.opened = True
            self._openings += 1
            out += frames.encode(frames.Open(number, self._openings, sending.name))
        elif sending.revoked:
            sending.revoked = False
            unsaid = len(sending.data) - sending.offset if sending.data is not None else 0
            total = sending.bytes_sent + unsaid
            sending.bytes_granted = min(sending.bytes_granted, total)
            out += frames.encode(frames.Revoked(number, sending.messages_begun, total))
        elif self._owes_settled(sending):
            sending.owed = 0
            unheard = tuple(sequence for sequence in sending.open if sequence < sending.heard)
            out += frames.encode(frames.Settled(number, sending.heard, unheard))
        elif sending.data is not None:
            return self._say_chunk(sending, sending.data, out)
        elif sending.closing and not sending.closed:
            sending.closed = True
            out += frames.encode(frames.Close(number, SENDER))
        else:
            return False
        return True

    def _owes_settled(self, sending: _Sending) -> bool:
        last = sending.closing and not sending.open and sending.data is None
        return sending.owed >= SETTLED_OWED_MAX or (sending.owed > 0 and last)

    def _say_chunk(self, sending: _Sending, data: bytes, out: bytearray) -> bool:
        credit = max(sending.bytes_granted - sending.bytes_sent, 0)
        length = min(len(data) - sending.offset, CHUNK_BYTES_MAX, credit)
        if length == 0 and sending.begun and len(data) > sending.offset:
            return False
        chunk = data[sending.offset : sending.offset + length]
        out += frames.encode(frames.Data(sending.number, sending.messages_begun, len(data), chunk))
        sending.begun = True
        sending.offset += length
        sending.bytes_sent += length
        if sending.offset == len(data):
            sending.open.append(sending.messages_begun)
            sending.data = None
        return True


def _outcome_frame(channel: int, sequence: int, settlement: Settlement) -> frames.Frame:
    match settlement:
        case Settlement.TAKEN:
            return frames.Taken(channel, sequence)
        case Settlement.DECLINED:
            return frames.Declined(channel, sequence)
        case Settlement.RETURNED:
            return frames.Returned(channel, sequence, False)
        case Settlement.IN_DOUBT:
            return frames.Returned(channel, sequence, True)
