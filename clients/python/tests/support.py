"""Runs the real program, and workers beside it, with a deadline on everything."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import unittest
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from handover_worker import Handler, Summary, Worker

ROOT = pathlib.Path(__file__).resolve().parents[3]
CLIENT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("HANDOVER", str(ROOT / "target/debug/handover"))
# For anything that should happen soon. Long, for a machine under load: a test that passes never waits it out.
SOON = 60.0

T = TypeVar("T")


def needs_the_program(case: type[unittest.TestCase]) -> type[unittest.TestCase]:
    """Leaves the tests out if there is no program to run them against."""
    return unittest.skipUnless(os.access(PROGRAM, os.X_OK), f"{PROGRAM} is not there: see $HANDOVER")(case)


def eventually(what: str, look: Callable[[], T | None]) -> T:
    """Waits until a fact holds."""
    deadline = time.monotonic() + SOON
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited too long for {what}")
        time.sleep(0.005)


class Program:
    """A running program; what it says is gathered."""

    def __init__(self, arguments: list[str], environment: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            cwd=CLIENT,
        )
        self.said = {"stdout": b"", "stderr": b""}
        self.threads = [
            threading.Thread(target=self._gather, args=[name], daemon=True) for name in self.said
        ]
        for thread in self.threads:
            thread.start()

    def _gather(self, name: str) -> None:
        pipe = getattr(self.process, name)
        while part := os.read(pipe.fileno(), 65536):
            self.said[name] += part

    @property
    def stderr(self) -> str:
        return self.said["stderr"].decode()

    @property
    def stdout(self) -> str:
        return self.said["stdout"].decode()

    def feed(self, data: bytes, end: bool = True) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()
        if end:
            self.process.stdin.close()

    def wait_for(self, part: str) -> str:
        """Waits until it says this on standard error; gives the first such line."""
        return eventually(
            f"{part!r} in {self.stderr!r}",
            lambda: next((line for line in self.stderr.splitlines() if part in line), None),
        )

    def finish(self) -> int:
        """Waits until it ends."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            status = self.process.wait(SOON)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end; it said: {self.stderr}") from None
        for thread in self.threads:
            thread.join(SOON)
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for thread in self.threads:
            thread.join(SOON)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()


class JobCase(unittest.TestCase):
    """A test with a job."""

    def start(self, *arguments: str, environment: dict[str, str] | None = None) -> Program:
        program = Program(list(arguments), environment)
        self.addCleanup(program.close)
        return program

    def job(self, *options: str, command: tuple[str, ...] = ("cat",)) -> tuple[Program, str]:
        """`handover map --listen` on a free port, and the address."""
        job = self.start(PROGRAM, "map", "--listen", "127.0.0.1:0", *options, "--", *command)
        line = job.wait_for("127.0.0.1:").replace('"', " ")
        return job, next(word for word in line.split() if word.startswith("127."))

    def worker(self, address: str, *arguments: str) -> Program:
        """The command, when it has joined."""
        worker = self.start(sys.executable, "-W", "error", "-m", "handover_worker", "--connect", address, *arguments)
        worker.wait_for("joined")
        return worker

    def control(self, address: str, *arguments: str) -> str:
        """An order that has its effect."""
        done = subprocess.run(
            [PROGRAM, "control", "--connect", address, *arguments], capture_output=True, timeout=SOON
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()

    def status(self, address: str) -> Any:
        return json.loads(self.control(address, "status", "--json"))

    @contextlib.contextmanager
    def working(self, address: str, handler: Handler, **options: Any) -> Iterator[Running]:
        """A worker of this process, in a thread."""
        running = Running(Worker(address, handler, **options))
        try:
            yield running
        finally:
            running.worker.leave(now=True)
            running.thread.join(SOON)
            self.assertFalse(running.thread.is_alive())


class Running:
    """A worker in a thread, and how it ended."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.end: Summary | Exception | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.end = self.worker.run()
        except Exception as error:
            self.end = error

    def finish(self) -> Summary | Exception | None:
        self.thread.join(SOON)
        return self.end
