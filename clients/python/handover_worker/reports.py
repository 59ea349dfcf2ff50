"""What a command says of its unit: the lines that it writes to the descriptor `$HANDOVER_REPORTS`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Union

LINE_BYTES_MAX = 1024
LINES_A_SECOND = 1000

_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)\Z", re.ASCII)


@dataclass(frozen=True)
class Progress:
    """This much is done."""

    part: float
    text: str


@dataclass(frozen=True)
class Log:
    """A line for people."""

    text: str


@dataclass(frozen=True)
class Bad:
    """A line that is none of these."""

    why: str


Report = Union[Progress, Log, Bad, None]


def parse(line: bytes) -> Report:
    """Reads a line; an empty one is nothing."""
    try:
        text = line.decode().strip()
    except UnicodeDecodeError:
        return Bad("a line is not UTF-8")
    word, rest = _first_word(text)
    if not word:
        return None
    if word == "log":
        return Log(rest)
    if word == "progress":
        first, rest = _first_word(rest)
        part = _part(first)
        if part is None:
            return Bad(f"{first!r} is no part of a whole: write 0.4, 40% or 4/10")
        return Progress(part, rest)
    return Bad(f"{word[:100]!r} is no report: write `progress PART [TEXT]` or `log TEXT`")


def _first_word(text: str) -> tuple[str, str]:
    words = text.split(maxsplit=1)
    return (words[0] if words else "", words[1] if len(words) > 1 else "")


def _part(text: str) -> float | None:
    whole: float | None = 1.0
    if text.endswith("%"):
        done, whole = _number(text[:-1]), 100.0
    elif "/" in text:
        first, _, second = text.partition("/")
        done, whole = _number(first), _number(second)
    else:
        done = _number(text)
    if done is None or not whole or done > whole:
        return None
    return done / whole


def _number(text: str) -> float | None:
    return float(text) if len(text) < 300 and _NUMBER.match(text) else None
