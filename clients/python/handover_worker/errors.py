"""What can go wrong. All that the library raises on purpose is a `HandoverError`."""

from __future__ import annotations


class HandoverError(Exception):
    """The root of all errors of this package."""


class ConnectError(HandoverError):
    """There is no link: no connection, no certificate that is trusted, or the other side refused."""


class NobodyListens(ConnectError):
    """Nobody listens there: not yet, or not any more."""


class ProtocolError(HandoverError):
    """The other side broke the protocol. The sentence says how."""


class VersionMismatch(ProtocolError):
    """The two sides have no version of the protocol in common."""


class JobError(HandoverError):
    """There is no job, or one that cannot be done here."""


class LinkLost(HandoverError):
    """The link ended before the job did, or the coordinator went away."""


class GivenUp(HandoverError):
    """The coordinator gave this worker up: it was silent for longer than its lease."""


# ---- Between a handler and its worker ----


class GiveBack(Exception):
    """Raised by a handler: another worker should have the unit.

    This worker asks for no unit for `retry_after` seconds, so that it is not the one that gets it again at once.
    """

    def __init__(self, retry_after: float = 1.0) -> None:
        super().__init__(f"given back, for {retry_after} s")
        self.retry_after = retry_after


class Failed(Exception):
    """Raised by a handler: the unit has failed, for this reason."""


class UnitCut(HandoverError):
    """Raised in a handler by what it calls of its unit: the result is not wanted any more."""


class Aborted(UnitCut):
    """Somebody aborted the unit."""


class TimedOut(UnitCut):
    """The unit took longer than its time limit."""


class TakenAway(UnitCut):
    """The coordinator was out of reach for the lease: the unit may be another worker's by now."""


class Stopped(UnitCut):
    """The worker leaves at once, or has lost its link."""
