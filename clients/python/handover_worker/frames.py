"""The frames of a link, to the byte: section "Bytes" of `docs/protocol.md`."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Union

from .errors import ProtocolError

MAGIC = b"handover"
VERSION = 1
PREAMBLE = MAGIC + bytes([VERSION, VERSION])
HEADER = struct.Struct(">BBHIQ")

CHUNK_BYTES_MAX = 65_536
HELLO_BYTES_MAX = 512
NAME_BYTES_MAX = 128
TOKEN_BYTES_MAX = 64
REASON_BYTES_MAX = 256
CREDIT_MESSAGES_MAX = 64
LEASE_MS_MIN = 100

SENDER, RECEIVER = 1, 2

GOODBYE_DONE, GOODBYE_LEAVING, GOODBYE_REFUSED, GOODBYE_VERSION, GOODBYE_VIOLATION = range(5)
GOODBYE_TIMEOUT, GOODBYE_UNKNOWN_SESSION, GOODBYE_STALE_EPOCH = 5, 6, 7
CODES = (
    "done", "leaving", "refused", "version mismatch", "protocol violation", "handshake timeout",
    "unknown session", "stale epoch",
)


@dataclass(frozen=True)
class Hello:
    """Who a side is."""

    TYPE: ClassVar[int] = 1
    session: int
    incarnation: int
    epoch: int
    lease_ms: int
    message_bytes: int
    channels: int
    name: str
    token: bytes


@dataclass(frozen=True)
class Open:
    """The sender of a channel opens it."""

    TYPE: ClassVar[int] = 2
    channel: int
    opening: int
    name: str
    type_name: str = ""
    type_version: int = 0


@dataclass(frozen=True)
class Grant:
    """The receiver allows messages, and message bytes in all."""

    TYPE: ClassVar[int] = 3
    channel: int
    messages: int
    bytes: int


@dataclass(frozen=True)
class Data:
    """A chunk of a message."""

    TYPE: ClassVar[int] = 4
    channel: int
    sequence: int
    total: int
    chunk: bytes


@dataclass(frozen=True)
class Taken:
    """A process took the message."""

    TYPE: ClassVar[int] = 5
    channel: int
    sequence: int


@dataclass(frozen=True)
class Close:
    """One end of a channel is gone."""

    TYPE: ClassVar[int] = 6
    channel: int
    end: int


@dataclass(frozen=True)
class Goodbye:
    """The side's last word."""

    TYPE: ClassVar[int] = 7
    code: int
    reason: str

    def __str__(self) -> str:
        name = CODES[self.code] if self.code < len(CODES) else f"another reason ({self.code})"
        return f"{name}: {self.reason}" if self.reason else name


@dataclass(frozen=True)
class Returned:
    """The message was not taken, or that cannot be known."""

    TYPE: ClassVar[int] = 8
    channel: int
    sequence: int
    in_doubt: bool


@dataclass(frozen=True)
class Revoke:
    """The receiver wants the credit back that is not used."""

    TYPE: ClassVar[int] = 9
    channel: int


@dataclass(frozen=True)
class Revoked:
    """The sender says how much of it was used."""

    TYPE: ClassVar[int] = 10
    channel: int
    sequence: int
    bytes: int


@dataclass(frozen=True)
class Withdraw:
    """The sender wants a message back."""

    TYPE: ClassVar[int] = 11
    channel: int
    sequence: int


@dataclass(frozen=True)
class Poison:
    """One end of a channel is gone, because something went wrong there."""

    TYPE: ClassVar[int] = 12
    channel: int
    end: int
    reason: str


@dataclass(frozen=True)
class Settled:
    """The sender knows all outcomes up to `sequence`, but of those in `open`."""

    TYPE: ClassVar[int] = 13
    channel: int
    sequence: int
    open: tuple[int, ...]


@dataclass(frozen=True)
class Resume:
    """How far a channel had come."""

    TYPE: ClassVar[int] = 14
    channel: int
    arrived: int
    arrived_bytes: int
    messages: int
    bytes: int


@dataclass(frozen=True)
class Resumed:
    """All channels are opened again."""

    TYPE: ClassVar[int] = 15


@dataclass(frozen=True)
class Ping:
    """A sign of life."""

    TYPE: ClassVar[int] = 16
    number: int


@dataclass(frozen=True)
class Pong:
    """The answer to it."""

    TYPE: ClassVar[int] = 17
    number: int


@dataclass(frozen=True)
class Deny:
    """The receiver refuses a channel."""

    TYPE: ClassVar[int] = 18
    channel: int
    denial: int
    reason: str


@dataclass(frozen=True)
class Declined:
    """Nobody waits for the message any more."""

    TYPE: ClassVar[int] = 19
    channel: int
    sequence: int


Frame = Union[
    Hello, Open, Grant, Data, Taken, Close, Goodbye, Returned, Revoke, Revoked, Withdraw, Poison, Settled,
    Resume, Resumed, Ping, Pong, Deny, Declined,
]

# The shortest and the longest payload of each type.
_LENGTHS: dict[int, tuple[int, int]] = {
    1: (0, HELLO_BYTES_MAX), 2: (7, 262), 3: (8, 8), 4: (4, 4 + CHUNK_BYTES_MAX), 5: (0, 0), 6: (1, 1),
    7: (2, 2 + REASON_BYTES_MAX), 8: (1, 1), 9: (0, 0), 10: (8, 8), 11: (0, 0), 12: (1, 1 + REASON_BYTES_MAX),
    13: (0, 8 * CREDIT_MESSAGES_MAX), 14: (24, 24), 15: (0, 0), 16: (0, 0), 17: (0, 0),
    18: (2, 2 + REASON_BYTES_MAX), 19: (0, 0),
}  # fmt: skip
_NAMES: dict[int, str] = {
    kind.TYPE: kind.__name__.upper()
    for kind in (
        Hello, Open, Grant, Data, Taken, Close, Goodbye, Returned, Revoke, Revoked, Withdraw, Poison, Settled,
        Resume, Resumed, Ping, Pong, Deny, Declined,
    )
}  # fmt: skip


def reason_bytes(reason: str) -> bytes:
    """A reason as it goes over the wire: in one line, at most 256 bytes of whole characters."""
    text = "".join(" " if _is_control(letter) else letter for letter in reason)
    return text.encode()[:REASON_BYTES_MAX].decode(errors="ignore").encode()


def _is_control(letter: str) -> bool:
    return ord(letter) < 32 or 127 <= ord(letter) < 160


def _reason(payload: bytes) -> str:
    return reason_bytes(payload.decode(errors="replace")).decode()


def _short(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def encode(frame: Frame) -> bytes:
    """The frame's bytes."""
    channel, sequence, payload = _parts(frame)
    return HEADER.pack(VERSION, frame.TYPE, channel, len(payload), sequence) + payload


def _parts(frame: Frame) -> tuple[int, int, bytes]:
    match frame:
        case Hello():
            fixed = struct.pack(
                ">16sQQIIH",
                frame.session.to_bytes(16, "big"),
                frame.incarnation,
                frame.epoch,
                frame.lease_ms,
                frame.message_bytes,
                frame.channels,
            )
            return 0, 0, fixed + _short(frame.name.encode()) + _short(frame.token)
        case Open():
            names = _short(frame.name.encode()) + _short(frame.type_name.encode())
            return frame.channel, frame.opening, names + struct.pack(">I", frame.type_version)
        case Grant():
            return frame.channel, frame.messages, struct.pack(">Q", frame.bytes)
        case Data():
            return frame.channel, frame.sequence, struct.pack(">I", frame.total) + frame.chunk
        case Taken() | Declined() | Withdraw():
            return frame.channel, frame.sequence, b""
        case Close():
            return frame.channel, 0, bytes([frame.end])
        case Goodbye():
            return 0, 0, struct.pack(">H", frame.code) + reason_bytes(frame.reason)
        case Returned():
            return frame.channel, frame.sequence, b"\x02" if frame.in_doubt else b"\x01"
        case Revoke():
            return frame.channel, 0, b""
        case Revoked():
            return frame.channel, frame.sequence, struct.pack(">Q", frame.bytes)
        case Poison():
            return frame.channel, 0, bytes([frame.end]) + reason_bytes(frame.reason)
        case Settled():
            return frame.channel, frame.sequence, struct.pack(f">{len(frame.open)}Q", *frame.open)
        case Resume():
            numbers = struct.pack(">QQQ", frame.arrived_bytes, frame.messages, frame.bytes)
            return frame.channel, frame.arrived, numbers
        case Resumed():
            return 0, 0, b""
        case Ping() | Pong():
            return 0, frame.number, b""
        case Deny():
            return frame.channel, 0, struct.pack(">H", frame.denial) + reason_bytes(frame.reason)


def decode(buffer: bytes | bytearray, at: int = 0) -> tuple[Frame, int] | None:
    """The frame that begins at `at`, and where it ends; `None` if it is not whole yet.

    What its header shows to be wrong raises `ProtocolError` as soon as the header is there.
    """
    if len(buffer) - at < HEADER.size:
        return None
    version, kind, channel, length, sequence = HEADER.unpack_from(buffer, at)
    if version != VERSION:
        raise ProtocolError(f"a frame of version {version} came on a link of version {VERSION}")
    if kind not in _LENGTHS:
        raise ProtocolError(f"there is no frame type {kind}")
    shortest, longest = _LENGTHS[kind]
    if not shortest <= length <= longest:
        raise ProtocolError(
            f"a {_NAMES[kind]} frame has a payload of {length} bytes, and {shortest} to {longest} are allowed"
        )
    end = at + HEADER.size + length
    if len(buffer) < end:
        return None
    return _decode_payload(kind, channel, sequence, bytes(buffer[at + HEADER.size : end])), end


def _decode_payload(kind: int, channel: int, sequence: int, payload: bytes) -> Frame:
    match kind:
        case Hello.TYPE:
            return _hello(payload)
        case Open.TYPE:
            name, rest = _take_short(payload, "OPEN")
            type_name, rest = _take_short(rest, "OPEN")
            if len(rest) != 4 or not name:
                raise ProtocolError(f"the name of channel {channel} is none")
            version = int.from_bytes(rest, "big")
            return Open(channel, sequence, _name(name, "a channel"), _name(type_name, "a type"), version)
        case Grant.TYPE:
            return Grant(channel, sequence, int.from_bytes(payload, "big"))
        case Data.TYPE:
            return Data(channel, sequence, int.from_bytes(payload[:4], "big"), payload[4:])
        case Taken.TYPE:
            return Taken(channel, sequence)
        case Close.TYPE:
            return Close(channel, _end(payload, channel))
        case Goodbye.TYPE:
            return Goodbye(int.from_bytes(payload[:2], "big"), _reason(payload[2:]))
        case Returned.TYPE:
            if payload not in (b"\x01", b"\x02"):
                raise ProtocolError(f"message {sequence} on channel {channel} has an outcome that does not exist")
            return Returned(channel, sequence, payload == b"\x02")
        case Revoke.TYPE:
            return Revoke(channel)
        case Revoked.TYPE:
            return Revoked(channel, sequence, int.from_bytes(payload, "big"))
        case Withdraw.TYPE:
            return Withdraw(channel, sequence)
        case Poison.TYPE:
            return Poison(channel, _end(payload[:1], channel), _reason(payload[1:]))
        case Settled.TYPE:
            if len(payload) % 8:
                raise ProtocolError(f"a SETTLED frame has a payload of {len(payload)} bytes, no multiple of 8")
            return Settled(channel, sequence, struct.unpack(f">{len(payload) // 8}Q", payload))
        case Resume.TYPE:
            return Resume(channel, sequence, *struct.unpack(">QQQ", payload))
        case Resumed.TYPE:
            return Resumed()
        case Ping.TYPE:
            return Ping(sequence)
        case Pong.TYPE:
            return Pong(sequence)
        case Deny.TYPE:
            return Deny(channel, int.from_bytes(payload[:2], "big"), _reason(payload[2:]))
        case _:
            return Declined(channel, sequence)


def _hello(payload: bytes) -> Hello:
    fixed = struct.Struct(">16sQQIIH")
    if len(payload) < fixed.size:
        raise ProtocolError("the HELLO is malformed: it is cut short")
    session, incarnation, epoch, lease_ms, message_bytes, channels = fixed.unpack_from(payload)
    name, rest = _take_short(payload[fixed.size :], "HELLO")
    token, _ = _take_short(rest, "HELLO")
    if len(token) > TOKEN_BYTES_MAX:
        raise ProtocolError("the HELLO is malformed: its token is too long")
    if epoch == 0 or lease_ms < LEASE_MS_MIN:
        raise ProtocolError("the HELLO is malformed: its epoch is 0, or its lease is shorter than 100 ms")
    number = int.from_bytes(session, "big")
    name_text = _name(name, "the peer")
    return Hello(number, incarnation, epoch, lease_ms, message_bytes, channels, name_text, token)


def _take_short(data: bytes, what: str) -> tuple[bytes, bytes]:
    if not data or len(data) <= data[0]:
        raise ProtocolError(f"the {what} is malformed: it is cut short")
    return data[1 : 1 + data[0]], data[1 + data[0] :]


def _name(data: bytes, whose: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ProtocolError(f"the name of {whose} is not UTF-8") from None
    if len(data) > NAME_BYTES_MAX or any(map(_is_control, text)):
        raise ProtocolError(f"the name of {whose} is too long, or has control characters")
    return text


def _end(payload: bytes, channel: int) -> int:
    if payload not in (b"\x01", b"\x02"):
        raise ProtocolError(f"channel {channel} was closed at an end that does not exist")
    return payload[0]
