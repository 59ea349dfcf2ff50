"""A handler that runs a command for each unit, as `handover work` does.

# Invariants
- The command has a process group of its own; when the unit is cut short, all of it ends (TERM, and KILL a second
  later); while the worker is paused, all of it is stopped.
- The group is signalled only while the command was not waited for: its number cannot be another's.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import IO

from . import reports
from .errors import Failed, JobError, UnitCut
from .messages import Job, Piece
from .unit import Exit, Unit

GRACE = 1.0
READ_BYTES = 1 << 16
# As `handover work` has it: one digit, for shells that know no others.
DESCRIPTOR = 7


class CommandHandler:
    """Runs `words`, or the job's own command, once for each unit."""

    def __init__(self, words: Sequence[str | bytes] | None = None) -> None:
        self._words = None if words is None else [os.fsencode(word) for word in words]
        nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._nothing = nothing
        # Reserved, so that it is nobody else's.
        self._descriptor = fcntl.fcntl(nothing, fcntl.F_DUPFD_CLOEXEC, DESCRIPTOR)

    def check_job(self, job: Job) -> None:
        """Refuses a job that cannot be done here. For `on_job`."""
        if job.stream:
            raise JobError("the job keeps one command running (--stream), which this worker cannot do")
        words = self._words or list(job.command)
        program = words[0]
        if b"{" not in program and shutil.which(program) is None:
            raise JobError(f"there is no command {os.fsdecode(program)!r} here: check its name, and PATH")

    def __call__(self, unit: Unit) -> Exit:
        """Runs it for a unit."""
        template = self._words or list(unit.job.command)
        takes_argument = any(b"{}" in word for word in template)
        if takes_argument and b"\0" in unit.line:
            raise Failed("it has a NUL byte, which no argument can have")
        words = [fill(word, unit.number, unit.line) for word in template]
        run = _Run(unit, words, None if takes_argument else unit.data, (self._descriptor, self._nothing))
        return run.finish()


def fill(word: bytes, number: int, line: bytes) -> bytes:
    """A word of a command line, with the unit for `{}` and its number for `{#}`."""
    parts = word.split(b"{}")
    return line.join(part.replace(b"{#}", str(number).encode()) for part in parts)


class _Run:
    """One process of the command, and the threads at its pipes."""

    def __init__(self, unit: Unit, words: list[bytes], stdin: bytes | None, descriptors: tuple[int, int]) -> None:
        self.unit = unit
        self.stdin = stdin
        self.lock = threading.Lock()
        self.waited = False
        self.killer: threading.Timer | None = None
        report_end, far_end = os.pipe()
        descriptor, nothing = descriptors
        environment = {name: value for name, value in os.environ.items() if name != "HANDOVER_TOKEN"}
        environment |= {"HANDOVER_UNIT": str(unit.number), "HANDOVER_REPORTS": str(descriptor)}
        try:
            os.dup2(far_end, descriptor)
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                pass_fds=(descriptor,),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(report_end)
            raise Failed(f"{os.fsdecode(words[0])} cannot be started: {error}") from error
        finally:
            os.dup2(nothing, descriptor, inheritable=False)
            os.close(far_end)
        self.reports = report_end
        self.ended = threading.Event()
        unit.on_change(self.change)

    def change(self, change: str) -> None:
        """The unit is cut short, or the worker is paused, or goes on."""
        match change:
            case "pause":
                self.signal(signal.SIGSTOP)
            case "resume":
                self.signal(signal.SIGCONT)
            case _:
                self.end()

    def end(self) -> None:
        """Ends the whole group: TERM, and KILL for what is left after a while."""
        self.signal(signal.SIGTERM)
        # One that is paused hears it only when it goes on.
        self.signal(signal.SIGCONT)
        if self.killer is None:
            self.killer = threading.Timer(GRACE, self.signal, [signal.SIGKILL])
            self.killer.daemon = True
            self.killer.start()

    def signal(self, number: int) -> None:
        with self.lock:
            if not self.waited:
                try:
                    os.killpg(self.process.pid, number)
                except ProcessLookupError:
                    pass

    def finish(self) -> Exit:
        """Waits for its end."""
        stdout, stderr = self.process.stdout, self.process.stderr
        assert stdout is not None and stderr is not None
        threads = [
            threading.Thread(target=self.pass_stderr, args=[stderr], daemon=True),
            threading.Thread(target=self.follow_reports, daemon=True),
        ]
        if self.stdin is not None:
            threads.append(threading.Thread(target=self.feed, daemon=True))
        for thread in threads:
            thread.start()
        try:
            output, count = self.read_stdout(stdout)
            threads[0].join()
            os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
            self.ended.set()
            threads[1].join()
        except BaseException:
            self.end()
            # Without its status being taken: the group's number is still its own.
            os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
            self.signal(signal.SIGKILL)
            raise
        finally:
            self.ended.set()
            self.unit.remove_hook(self.change)
            with self.lock:
                self.waited = True
                status = self.process.wait()
            if self.killer is not None:
                self.killer.cancel()
            for thread in threads:
                thread.join(GRACE)
            stdout.close()
            stderr.close()
            os.close(self.reports)
        if status < 0:
            return Exit(signal=-status, output=output, output_bytes=count)
        return Exit(status, output, output_bytes=count)

    def feed(self) -> None:
        assert self.process.stdin is not None and self.stdin is not None
        try:
            self.process.stdin.write(self.stdin)
            self.process.stdin.close()
        except OSError:
            # It does not want all of it, which is no fault.
            pass

    def chunks(self, descriptor: int) -> bytes | None:
        """What a pipe has, empty at its end; `None` now and then. Raises if the unit is cut short."""
        ready = select.select([descriptor], [], [], 0.1)[0]
        if self.unit.cut is not None:
            raise self.unit.cut("the unit is not wanted any more")
        return os.read(descriptor, READ_BYTES) if ready else None

    def read_stdout(self, pipe: IO[bytes]) -> tuple[bytes, int]:
        output, count, limit = bytearray(), 0, self.unit.job.limit
        while (chunk := self.chunks(pipe.fileno())) != b"":
            if chunk is None:
                continue
            count += len(chunk)
            if self.unit.job.to_files:
                self.unit.piece(Piece.STDOUT, chunk)
            else:
                output += chunk
                if count > limit:
                    raise Failed(f"its output is larger than the limit of {limit} bytes (see --limit)")
        return bytes(output), count

    def pass_stderr(self, pipe: IO[bytes]) -> None:
        """Hands standard error over as it comes, cut at line ends."""
        held = b""
        try:
            while (chunk := self.chunks(pipe.fileno())) != b"":
                held += chunk or b""
                end = len(held) if self.unit.job.to_files or len(held) >= READ_BYTES else held.rfind(b"\n") + 1
                if end:
                    whole, held = held[:end], held[end:]
                    self.unit.stderr(whole)
            if held:
                self.unit.stderr(held)
        except UnitCut:
            pass

    def follow_reports(self) -> None:
        """Passes on what the command reports, until it has ended; then what the pipe still holds."""
        held, skips, told = b"", False, False
        second, count = time.monotonic(), 0
        try:
            while True:
                ended = self.ended.is_set()
                ready = select.select([self.reports], [], [], 0 if ended else 0.05)[0]
                chunk = os.read(self.reports, reports.LINE_BYTES_MAX) if ready else None
                if chunk == b"" or (chunk is None and ended):
                    break
                *lines, held = (held + (chunk or b"")).split(b"\n")
                for line in lines:
                    told = self.report(b"" if skips else line, told)
                    skips = False
                count += len(lines)
                if count >= reports.LINES_A_SECOND:
                    # The pipe fills, and the command waits.
                    self.ended.wait(second + 1 - time.monotonic())
                if time.monotonic() - second >= 1:
                    second, count = time.monotonic(), 0
                if len(held) > reports.LINE_BYTES_MAX:
                    skips, held = True, b""
                    told = self.complain("a line is longer than 1 KiB", told)
            self.report(held, told)
        except UnitCut:
            pass

    def report(self, line: bytes, told: bool) -> bool:
        match reports.parse(line):
            case reports.Progress(part, text):
                self.unit.progress(part, text)
            case reports.Log(text):
                self.unit.log(text)
            case reports.Bad(why):
                return self.complain(why, told)
        return told

    def complain(self, why: str, told: bool) -> bool:
        """Tells of a wrong line, the first time for a unit."""
        if not told:
            self.unit.bad_report(why)
        return True
