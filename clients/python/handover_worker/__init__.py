"""A worker for `handover map`, in Python and its standard library.

    from handover_worker import Unit, Worker

    def handle(unit: Unit) -> bytes:
        return unit.line.upper() + b"\\n"

    Worker("127.0.0.1:7000", handle).run()
"""

from .command import CommandHandler
from .errors import (
    Aborted,
    ConnectError,
    Failed,
    GiveBack,
    GivenUp,
    HandoverError,
    JobError,
    LinkLost,
    ProtocolError,
    Stopped,
    TakenAway,
    TimedOut,
    UnitCut,
)
from .messages import Job
from .transport import Tls
from .unit import Exit, Handler, Unit
from .worker import Summary, Worker

__all__ = [
    "Aborted",
    "CommandHandler",
    "ConnectError",
    "Exit",
    "Failed",
    "GiveBack",
    "GivenUp",
    "Handler",
    "HandoverError",
    "Job",
    "JobError",
    "LinkLost",
    "ProtocolError",
    "Stopped",
    "Summary",
    "TakenAway",
    "TimedOut",
    "Tls",
    "Unit",
    "UnitCut",
    "Worker",
]
