"""What a coordinator and a worker say to each other: `docs/protocol-work.md`."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Union

from .errors import JobError, ProtocolError

JOB_VERSION = 2

META_BYTES_MAX = 4 << 10
JOB_BYTES_MAX = 2 << 20
UNIT_BYTES_MAX = 1 << 30
PIECE_BYTES_MAX = 64 << 10
REASON_BYTES_MAX = 512
REPORT_BYTES_MAX = 1024
PROGRESS_TEXT_BYTES_MAX = 200
AHEAD_MAX = 1024
LEASE_MS = range(200, 24 * 3600 * 1000 + 1)

U16, U32, U64 = (1 << 16) - 1, (1 << 32) - 1, (1 << 64) - 1

# ---- Postcard, as far as these messages need it ----


def uint(value: int) -> bytes:
    """A number without a sign: seven bits a byte, the lowest first; all bytes but the last have the high bit."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def sint(value: int) -> bytes:
    """A number with a sign of 32 bits: zigzag, so that small ones are short."""
    return uint((value << 1 ^ value >> 31) & U32)


def _text(value: bytes) -> bytes:
    return uint(len(value)) + value


class _Reader:
    def __init__(self, data: bytes, what: str) -> None:
        self.data, self.at, self.what = data, 0, what

    def wrong(self) -> ProtocolError:
        return ProtocolError(f"it sent a message that is no {self.what}")

    def byte(self) -> int:
        if self.at >= len(self.data):
            raise self.wrong()
        self.at += 1
        return self.data[self.at - 1]

    def uint(self, most: int = U64) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if value > most:
                raise self.wrong()
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise self.wrong()

    def sint(self) -> int:
        value = self.uint(U32)
        return value >> 1 ^ -(value & 1)

    def flag(self) -> bool:
        byte = self.byte()
        if byte > 1:
            raise self.wrong()
        return byte == 1

    def option(self) -> int | None:
        return self.uint() if self.flag() else None

    def blob(self) -> bytes:
        length = self.uint()
        if length > len(self.data) - self.at:
            raise self.wrong()
        self.at += length
        return self.data[self.at - length : self.at]

    def end(self) -> None:
        if self.at != len(self.data):
            raise self.wrong()


# ---- The job ----


@dataclass(frozen=True)
class Job:
    """What a worker has to do: the same for all units."""

    command: tuple[bytes, ...]
    stream: bool
    null: bool
    keep_order: bool
    ahead: int
    retries: int
    timeout_ms: int | None
    to_files: bool
    limit: int
    lease_ms: int


def encode_job(job: Job) -> bytes:
    """The bytes of a job."""
    timeout = b"\0" if job.timeout_ms is None else b"\1" + uint(job.timeout_ms)
    parts = [
        JOB_VERSION.to_bytes(2, "little"),
        uint(len(job.command)),
        *map(_text, job.command),
        bytes([job.stream, job.null, job.keep_order]),
        uint(job.ahead),
        uint(job.retries),
        timeout,
        bytes([job.to_files]),
        uint(job.limit),
        uint(job.lease_ms),
    ]
    return b"".join(parts)


def decode_job(message: bytes) -> Job:
    """Reads a job; `JobError` if it is of another version, `ProtocolError` if it is none."""
    reader = _Reader(message, "job")
    version = reader.byte() | reader.byte() << 8
    if version != JOB_VERSION:
        raise JobError(f"it speaks version {version} of the job, this is version {JOB_VERSION}")
    if len(message) > JOB_BYTES_MAX:
        raise reader.wrong()
    words = reader.uint()
    if not 1 <= words <= len(message):
        raise reader.wrong()
    job = Job(
        command=tuple(reader.blob() for _ in range(words)),
        stream=reader.flag(),
        null=reader.flag(),
        keep_order=reader.flag(),
        ahead=reader.uint(U32),
        retries=reader.uint(U32),
        timeout_ms=reader.option(),
        to_files=reader.flag(),
        limit=reader.uint(),
        lease_ms=reader.uint(),
    )
    reader.end()
    if job.ahead > AHEAD_MAX or job.limit > UNIT_BYTES_MAX or job.lease_ms not in LEASE_MS:
        raise reader.wrong()
    return job


# ---- Messages with a payload and a meta ----


def encode(payload: bytes, meta: bytes) -> bytes:
    """A message: the payload, then the meta, then the meta's length."""
    return payload + meta + len(meta).to_bytes(2, "little")


def split(message: bytes, what: str) -> tuple[bytes, bytes]:
    """The payload and the meta of a message."""
    if len(message) < 2:
        raise ProtocolError(f"it sent a message that is no {what}")
    length = int.from_bytes(message[-2:], "little")
    start = len(message) - 2 - length
    if length > META_BYTES_MAX or start < 0:
        raise ProtocolError(f"it sent a message that is no {what}")
    return message[:start], message[start:-2]


@dataclass(frozen=True)
class UnitMeta:
    """What comes with a unit's bytes."""

    number: int
    oversized: int | None = None


def encode_unit_meta(meta: UnitMeta) -> bytes:
    """The bytes of it."""
    return uint(meta.number) + (b"\0" if meta.oversized is None else b"\1" + uint(meta.oversized))


def decode_unit(message: bytes) -> tuple[bytes, UnitMeta]:
    """Reads a unit: its bytes, and what comes with them."""
    payload, meta = split(message, "unit")
    reader = _Reader(meta, "unit")
    unit = UnitMeta(reader.uint(), reader.option())
    reader.end()
    return payload, unit


class Kind(enum.IntEnum):
    """How a unit ended, as the wire has it."""

    EXITED = 0
    SIGNALLED = 1
    TIMED_OUT = 2
    FAILED = 3
    ABORTED = 4
    POISONED = 5
    GIVEN_BACK = 6


@dataclass(frozen=True)
class Outcome:
    """How a unit ended: `value` is the status, the signal, the milliseconds, or the losses."""

    kind: Kind
    value: int = 0
    reason: str = ""

    @property
    def is_success(self) -> bool:
        """Whether the unit succeeded."""
        return self.kind is Kind.EXITED and self.value == 0


def failed(reason: str) -> Outcome:
    """A failure for a reason, which is cut to a sentence's length."""
    return Outcome(Kind.FAILED, reason=reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore"))


@dataclass(frozen=True)
class ResultMeta:
    """What comes with a result's bytes."""

    number: int
    outcome: Outcome
    started_us: int
    run_us: int
    work_us: int
    attempts: int
    output_bytes: int


def encode_result_meta(meta: ResultMeta) -> bytes:
    """The bytes of it."""
    outcome = meta.outcome
    match outcome.kind:
        case Kind.EXITED | Kind.SIGNALLED:
            value = sint(outcome.value)
        case Kind.TIMED_OUT | Kind.POISONED:
            value = uint(outcome.value)
        case Kind.FAILED:
            value = _text(outcome.reason.encode())
        case _:
            value = b""
    numbers = (meta.started_us, meta.run_us, meta.work_us, meta.attempts, meta.output_bytes)
    return uint(meta.number) + uint(outcome.kind) + value + b"".join(map(uint, numbers))


class Piece(enum.IntEnum):
    """What a piece belongs to."""

    START = 0
    FINISHED = 1
    STDOUT = 2
    STDERR = 3


def encode_piece(number: int, piece: Piece, data: bytes = b"") -> bytes:
    """A piece of a unit's output."""
    return encode(data, uint(number) + uint(piece))


@dataclass(frozen=True)
class Abort:
    """End this unit."""

    number: int


@dataclass(frozen=True)
class Pause:
    """Stop what runs, and take nothing."""


@dataclass(frozen=True)
class Resume:
    """Go on."""


@dataclass(frozen=True)
class Leave:
    """Leave, when the unit at hand is done or now."""

    now: bool


Control = Union[Abort, Pause, Resume, Leave]


def encode_control(control: Control) -> bytes:
    """An order, as a coordinator gives it."""
    match control:
        case Abort():
            meta = b"\0" + uint(control.number)
        case Pause():
            meta = b"\1"
        case Resume():
            meta = b"\2"
        case Leave():
            meta = bytes([3, control.now])
    return encode(b"", meta)


def decode_control(message: bytes) -> Control:
    """Reads an order."""
    _, meta = split(message, "order")
    reader = _Reader(meta, "order")
    control: Control
    match reader.uint(U32):
        case 0:
            control = Abort(reader.uint())
        case 1:
            control = Pause()
        case 2:
            control = Resume()
        case 3:
            control = Leave(reader.flag())
        case _:
            raise reader.wrong()
    reader.end()
    return control


def cut_text(text: str, most: int) -> bytes:
    """The start of a text that fits, in whole characters."""
    return text.encode(errors="replace")[:most].decode(errors="ignore").encode()


def encode_progress(number: int, millionths: int, text: str = "") -> bytes:
    """The unit is so far."""
    payload = cut_text(text, PROGRESS_TEXT_BYTES_MAX)
    return encode(payload, b"\0" + uint(number) + uint(millionths))


def encode_log(number: int, text: str) -> bytes:
    """A line for people."""
    return encode(cut_text(text, REPORT_BYTES_MAX), b"\1" + uint(number))


def encode_bad(number: int, why: str) -> bytes:
    """A line was reported that was not understood."""
    return encode(cut_text(why, REPORT_BYTES_MAX), b"\2" + uint(number))
