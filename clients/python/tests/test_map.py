"""Workers in Python at a real `handover map`."""

from __future__ import annotations

import asyncio
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from typing import Any

from handover_worker import (
    ConnectError,
    Exit,
    Failed,
    GiveBack,
    JobError,
    LinkLost,
    Summary,
    Tls,
    Unit,
    UnitCut,
    Worker,
)

from .support import CLIENT, PROGRAM, SOON, JobCase, eventually, needs_the_program


def square(unit: Unit) -> bytes:
    return b"%d\n" % int(unit.line) ** 2


def numbers(count: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(1, count + 1))


class Gate:
    """A handler that says when it is at a unit, and goes on when it may."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.open = threading.Event()
        self.ends: list[str] = []

    def __call__(self, unit: Unit) -> bytes:
        self.units.append(unit)
        try:
            while not self.open.is_set():
                unit.sleep(0.01)
        except UnitCut as cut:
            self.ends.append(type(cut).__name__)
            raise
        self.ends.append("done")
        return unit.data

    def at(self, number: int) -> Unit:
        return eventually(
            f"unit {number} to be at work",
            lambda: next((unit for unit in self.units if unit.number == number), None),
        )


@needs_the_program
class Units(JobCase):
    def test_units_are_taken_and_results_returned(self) -> None:
        job, address = self.job()
        with self.working(address, square) as worker:
            job.feed(numbers(300))
            self.assertEqual(job.finish(), 0, job.stderr)
            end = worker.finish()
        self.assertEqual(end, Summary("the job is done", 300))
        self.assertEqual(sorted(map(int, job.stdout.split())), [number**2 for number in range(1, 301)])

    def test_results_come_in_order_from_several_workers_that_keep_them(self) -> None:
        for ahead in ("0", "3"):
            job, address = self.job("-k", "--ahead", ahead)

            def uneven(unit: Unit) -> bytes:
                if int(unit.line) % 7 == 0:
                    unit.sleep(0.02)
                return square(unit)

            with self.working(address, uneven), self.working(address, uneven), self.working(address, uneven):
                job.feed(numbers(200))
                self.assertEqual(job.finish(), 0, job.stderr)
            self.assertEqual(job.stdout.split(), [str(number**2) for number in range(1, 201)])

    def test_a_python_worker_and_a_rust_worker_share_a_job(self) -> None:
        job, address = self.job("-k", command=("sh", "-c", "read n; echo $((n * n))"))
        rust = self.start(PROGRAM, "work", "--connect", address)
        rust.wait_for("joined")
        with self.working(address, square) as worker:
            job.feed(numbers(100))
            self.assertEqual(job.finish(), 0, job.stderr)
            worker.finish()
        self.assertEqual(job.stdout.split(), [str(number**2) for number in range(1, 101)])

    def test_large_units_and_results_cross_and_too_large_ones_fail(self) -> None:
        job, address = self.job("--block", "2M", "--limit", "3M")
        data = b"".join(b"%07d\n" % number for number in range(500_000))
        with self.working(address, lambda unit: unit.data):
            job.feed(data)
            self.assertEqual(job.finish(), 0, job.stderr)
        self.assertEqual(sorted(job.said["stdout"].split()), data.split())
        job, address = self.job("--limit", "100")
        with self.working(address, lambda unit: bytes(101)):
            job.feed(b"1\n" + b"x" * 200 + b"\n")
            self.assertEqual(job.finish(), 1)
        self.assertIn("larger than the limit", job.stderr)
        self.assertIn("the unit has 200 bytes", job.stderr)

    def test_failures_are_told_and_retried(self) -> None:
        job, address = self.job("--retries", "2")
        attempts: list[int] = []

        def handle(unit: Unit) -> Any:
            attempts.append(unit.number)
            match unit.number:
                case 1:
                    raise Failed("it is broken")
                case 2:
                    return Exit(7, b"")
                case 3 if unit.attempt < 3:
                    raise ValueError("not yet")
                case _:
                    return "text"

        with self.working(address, handle):
            job.feed(numbers(4))
            self.assertEqual(job.finish(), 1)
        self.assertIn("unit 1 (it is broken)", job.stderr)
        self.assertIn("unit 2 (exit status 7)", job.stderr)
        self.assertEqual(job.stdout, "text\ntext\n")
        self.assertEqual([attempts.count(number) for number in (1, 2, 3, 4)], [3, 3, 3, 1])

    def test_a_unit_is_given_back_to_another_worker(self) -> None:
        job, address = self.job("--json")

        def refuse(unit: Unit) -> bytes:
            raise GiveBack(retry_after=3600)

        with self.working(address, refuse, name="worker refuses:1") as refusing:
            job.feed(b"5\n")
            job.wait_for("given_back")
            with self.working(address, square, name="worker does:2") as doing:
                self.assertEqual(job.finish(), 0, job.stderr)
                self.assertEqual(doing.finish(), Summary("the job is done", 1))
            # A unit that was given back is none that it finished.
            self.assertEqual(refusing.finish(), Summary("the job is done", 0))
        self.assertEqual(job.stdout, "25\n")
        self.assertNotIn("poisoned: its worker", job.stderr)

    def test_a_coroutine_is_a_handler_too_and_is_cancelled(self) -> None:
        job, address = self.job()
        at = threading.Event()
        ends: list[str] = []

        async def handle(unit: Unit) -> bytes:
            if unit.number == 1:
                at.set()
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    ends.append("cancelled")
                    raise
            await asyncio.sleep(0)
            return unit.data

        with self.working(address, handle):
            job.feed(numbers(2))
            self.assertTrue(at.wait(SOON))
            self.control(address, "abort", "1")
            self.assertEqual(job.finish(), 1)
        self.assertEqual((job.stdout, ends), ("2\n", ["cancelled"]))
        self.assertIn("unit 1 (aborted)", job.stderr)

    def test_output_that_goes_to_files(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            job, address = self.job("--results", directory + "/out")

            def handle(unit: Unit) -> bytes:
                unit.stderr(b"careful\n")
                return square(unit)

            with self.working(address, handle):
                job.feed(numbers(3))
                self.assertEqual(job.finish(), 0, job.stderr)
            root = pathlib.Path(directory, "out")
            self.assertEqual((root / "3/stdout").read_bytes(), b"9\n")
            self.assertEqual((root / "3/stderr").read_bytes(), b"careful\n")


@needs_the_program
class Orders(JobCase):
    def test_progress_and_logs_are_seen_while_a_unit_is_at_work(self) -> None:
        job, address = self.job()
        may = threading.Event()

        def handle(unit: Unit) -> bytes:
            unit.progress(0.25, "first quarter")
            unit.log("it goes well")
            unit.stderr(b"careful\nnow\n")
            while not may.is_set():
                unit.sleep(0.01)
            return b""

        with self.working(address, handle):
            job.feed(b"x\n")
            job.wait_for("unit 1 says: it goes well")
            job.wait_for("unit 1: now")
            seen = eventually(
                "the progress",
                lambda: next((w for w in self.status(address)["workers"] if w.get("part")), None),
            )
            self.assertEqual((seen["part"], seen["text"]), (0.25, "first quarter"))
            may.set()
            self.assertEqual(job.finish(), 0, job.stderr)

    def test_a_unit_is_aborted_and_the_next_is_taken(self) -> None:
        job, address = self.job()
        gate = Gate()
        with self.working(address, gate):
            job.feed(numbers(2))
            gate.at(1)
            self.control(address, "abort", "1")
            gate.at(2)
            gate.open.set()
            self.assertEqual(job.finish(), 1)
        self.assertEqual((job.stdout, gate.ends), ("2\n", ["Aborted", "done"]))
        self.assertIn("unit 1 (aborted)", job.stderr)

    def test_paused_a_worker_stops_and_takes_nothing_and_resumed_it_goes_on(self) -> None:
        job, address = self.job("--timeout", "30")
        gate = Gate()
        with self.working(address, gate):
            job.feed(numbers(2))
            unit = gate.at(1)
            self.control(address, "pause", "1")
            self.assertTrue(unit.is_paused)
            gate.open.set()
            self.assertEqual(self.status(address)["workers"][0]["state"], "paused")
            self.assertEqual(gate.ends, [])
            self.control(address, "resume", "1")
            self.assertEqual(job.finish(), 0, job.stderr)
        self.assertEqual((sorted(job.stdout.split()), gate.ends), (["1", "2"], ["done", "done"]))

    def test_shutdown_leaves_when_the_unit_at_hand_is_done(self) -> None:
        job, address = self.job()
        gate = Gate()
        with self.working(address, gate) as worker:
            job.feed(numbers(2))
            gate.at(1)
            self.control(address, "shutdown", "1")
            gate.open.set()
            self.assertEqual(worker.finish(), Summary("asked to leave", 1))
        with self.working(address, square):
            self.assertEqual(job.finish(), 0, job.stderr)
        self.assertEqual(sorted(job.stdout.split()), ["1", "4"])

    def test_shutdown_at_once_gives_the_unit_to_another(self) -> None:
        job, address = self.job("--poison-after", "1")
        gate = Gate()
        with self.working(address, gate) as worker:
            job.feed(b"5\n")
            gate.at(1)
            self.control(address, "shutdown", "1", "--now")
            self.assertEqual(worker.finish(), Summary("asked to leave at once", 0))
        self.assertEqual(gate.ends, ["Stopped"])
        with self.working(address, square):
            self.assertEqual(job.finish(), 0, job.stderr)
        self.assertEqual(job.stdout, "25\n")

    def test_a_unit_that_takes_too_long_is_cut_and_tried_again(self) -> None:
        job, address = self.job("--timeout", "0.2", "--retries", "1")

        def handle(unit: Unit) -> bytes:
            if unit.attempt == 1 or unit.number == 2:
                unit.sleep(3600)
            return b"second time\n"

        with self.working(address, handle):
            job.feed(numbers(2))
            self.assertEqual(job.finish(), 1)
        self.assertEqual(job.stdout, "second time\n")
        self.assertIn("unit 2 (killed after 200 ms, its time limit)", job.stderr)


@needs_the_program
class Losses(JobCase):
    def test_the_unit_of_a_killed_worker_goes_to_another(self) -> None:
        job, address = self.job("--json", command=("sh", "-c", "read n; sleep 3600"))
        victim = self.worker(address)
        job.feed(b"5\n")
        eventually("the unit to be at work", lambda: self.status(address)["workers"][0].get("unit") == 1 or None)
        victim.process.send_signal(signal.SIGKILL)
        job.wait_for("\"left\"")
        with self.working(address, square):
            self.assertEqual(job.finish(), 0, job.stderr)
        self.assertEqual(job.stdout, "25\n")

    def test_a_coordinator_that_is_killed_is_a_loss_and_cuts_the_unit(self) -> None:
        job, address = self.job()
        gate = Gate()
        with self.working(address, gate) as worker:
            job.feed(b"5\n")
            gate.at(1)
            job.process.kill()
            end = worker.finish()
        self.assertIsInstance(end, LinkLost, end)
        self.assertEqual(gate.ends, ["Stopped"])

    def test_a_coordinator_that_stands_still_takes_the_unit_away_and_not_the_worker(self) -> None:
        job, address = self.job("--lease", "0.4")
        gate = Gate()
        with self.working(address, gate) as worker:
            job.feed(b"5\n")
            gate.at(1)
            job.process.send_signal(signal.SIGSTOP)
            eventually("the unit to be cut", lambda: gate.ends)
            self.assertEqual(gate.ends, ["TakenAway"])
            gate.open.set()
            job.process.send_signal(signal.SIGCONT)
            self.assertEqual(job.finish(), 0, job.stderr)
            self.assertEqual(worker.finish(), Summary("the job is done", 1))
        self.assertEqual(job.stdout, "5\n")

    def test_a_worker_that_stands_still_is_given_up_and_says_so(self) -> None:
        job, address = self.job("--lease", "0.4", command=("sh", "-c", "read n; sleep 3600"))
        sleeper = self.worker(address)
        job.feed(b"5\n")
        eventually("the unit to be at work", lambda: self.status(address)["workers"][0].get("unit") == 1 or None)
        sleeper.process.send_signal(signal.SIGSTOP)
        job.wait_for("silent for its lease")
        gate = Gate()
        with self.working(address, gate):
            gate.at(1)
            sleeper.process.send_signal(signal.SIGCONT)
            self.assertEqual(sleeper.finish(), 1)
            self.assertIn("given up: silent for longer than its lease", sleeper.stderr)
            gate.open.set()
            self.assertEqual(job.finish(), 0, job.stderr)
        self.assertEqual(job.stdout, "5\n")

    def test_what_cannot_be_joined_is_an_error_that_says_why(self) -> None:
        job, address = self.job("--token", "secret")
        for options, error, pattern in (
            ({}, ConnectError, "token is missing or wrong"),
            ({"token": "wrong"}, ConnectError, "token is missing or wrong"),
            ({"token": "secret", "limit": 10}, JobError, "join with that limit"),
        ):
            with self.subTest(options=options), self.assertRaisesRegex(error, pattern):
                Worker(address, square, **options).run()
        with self.assertRaisesRegex(ConnectError, "refused"):
            Worker("127.0.0.1:1", square).run()
        with self.assertRaisesRegex(ConnectError, "not on this machine"):
            Worker("192.0.2.1:7000", square).run()
        with self.working(address, square, token="secret"):
            job.feed(b"5\n")
            self.assertEqual(job.finish(), 0, job.stderr)

    def test_who_is_no_coordinator_is_found_out(self) -> None:
        for said, error in ((b"HTTP/1.1 400 Bad Request\r\n", "not the handover protocol"), (b"", "said nothing")):
            with socket.create_server(("127.0.0.1", 0)) as server:

                def serve(said: bytes = said, server: socket.socket = server) -> None:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(1000)
                        connection.sendall(said)

                thread = threading.Thread(target=serve)
                thread.start()
                with self.assertRaisesRegex(Exception, error):
                    Worker(f"127.0.0.1:{server.getsockname()[1]}", square).run()
                thread.join()


@needs_the_program
class Certificates(JobCase):
    def test_tls_with_the_certificates_of_the_program(self) -> None:
        with tempfile.TemporaryDirectory() as directory:

            def cert(*arguments: str) -> None:
                subprocess.run([PROGRAM, "cert", *arguments], check=True, capture_output=True, cwd=directory)

            cert("authority", "ca")
            cert("authority", "other")
            cert("peer", "coordinator", "--authority", "ca", "--out", "coordinator")
            cert("peer", "worker-1", "--authority", "ca", "--out", "worker-1")
            cert("peer", "worker-1", "--authority", "other", "--out", "stranger")
            place = pathlib.Path(directory)
            job, address = self.job("--tls", str(place / "coordinator"), "--json")
            with self.assertRaisesRegex(ConnectError, "asks for TLS"):
                Worker(address, square).run()
            with self.assertRaisesRegex(ConnectError, "CERTIFICATE_VERIFY_FAILED"):
                Worker(address, square, tls=Tls.from_directory(place / "stranger")).run()
            with self.assertRaisesRegex(ConnectError, "certificate there is that of 'coordinator'"):
                Worker(address, square, tls=Tls.from_directory(place / "worker-1", peer="somebody")).run()
            mixed = Tls(place / "stranger/peer.pem", place / "stranger/peer.key", place / "worker-1/authority.pem")
            with self.assertRaises(ConnectError):
                Worker(address, square, tls=mixed).run()
            tls = Tls.from_directory(place / "worker-1", peer="coordinator")
            with self.working(address, square, tls=tls) as worker:
                job.feed(numbers(100))
                self.assertEqual(job.finish(), 0, job.stderr)
                self.assertEqual(worker.finish(), Summary("the job is done", 100))
            self.assertIn("worker worker-1:", job.stderr)


@needs_the_program
class Commands(JobCase):
    def test_a_command_is_run_for_each_unit(self) -> None:
        job, address = self.job("-k")
        script = 'read n; echo "$HANDOVER_UNIT: $n"; echo "log hello" >&"$HANDOVER_REPORTS"'
        self.worker(address, "--", "sh", "-c", script)
        job.feed(b"a\nb\n")
        self.assertEqual(job.finish(), 0, job.stderr)
        self.assertEqual(job.stdout, "1: a\n2: b\n")
        self.assertEqual(job.stderr.count("says: hello"), 2)

    def test_the_jobs_own_command_is_run_with_the_unit_as_an_argument(self) -> None:
        job, address = self.job("-k", command=("printf", "%s is %s\\n", "{#}", "<{}>"))
        self.worker(address)
        job.feed(b"a\nb c\n")
        self.assertEqual(job.finish(), 0, job.stderr)
        self.assertEqual(job.stdout, "1 is <a>\n2 is <b c>\n")

    def test_a_function_is_named(self) -> None:
        job, address = self.job("-k")
        self.worker(address, "tests.test_map:square")
        job.feed(numbers(3))
        self.assertEqual(job.finish(), 0, job.stderr)
        self.assertEqual(job.stdout, "1\n4\n9\n")

    def test_how_a_command_ended_is_told(self) -> None:
        job, address = self.job()
        script = "case {} in 1) exit 9;; 2) kill -TERM $$;; esac; echo bad >&$HANDOVER_REPORTS; echo oh >&2"
        self.worker(address, "--", "sh", "-c", script)
        job.feed(numbers(3))
        self.assertEqual(job.finish(), 1)
        for part in ("unit 1 (exit status 9)", "unit 2 (killed by signal 15)", "unit 3: oh", "is no report"):
            self.assertIn(part, job.stderr)

    def test_an_aborted_command_ends_with_its_children(self) -> None:
        job, address = self.job()
        with tempfile.TemporaryDirectory() as directory:
            new = f"{directory}/new"
            script = f'trap "" TERM; sleep 3600 & echo $! > {new}; mv {new} {directory}/child; wait; wait'
            self.worker(address, "--", "sh", "-c", script)
            job.feed(b"1\n")
            path = pathlib.Path(directory, "child")
            eventually("the command to be at work", path.exists)
            child = int(path.read_text())
            self.control(address, "pause", "1")

            def state() -> str:
                return pathlib.Path(f"/proc/{child}/stat").read_text().rsplit(") ")[1][0]

            eventually("the child to be stopped", lambda: state() == "T")
            self.control(address, "abort", "1")
            self.assertEqual(job.finish(), 1)
            self.assertIn("unit 1 (aborted)", job.stderr)

            def gone() -> bool:
                try:
                    return state() == "Z"
                except FileNotFoundError:
                    return True

            eventually("the child to end", gone)

    def test_a_paused_command_that_is_aborted_may_tidy_up(self) -> None:
        job, address = self.job()
        with tempfile.TemporaryDirectory() as directory:
            at, tidy = pathlib.Path(directory, "at"), pathlib.Path(directory, "tidy")
            self.worker(address, "--", "sh", "-c", f'trap "touch {tidy}; exit 1" TERM; touch {at}; sleep 3600 & wait')
            job.feed(b"1\n")
            eventually("the command to be at work", at.exists)
            self.control(address, "pause", "1")
            self.control(address, "abort", "1")
            eventually("the command to tidy up", tidy.exists)
            self.assertEqual(job.finish(), 1)

    def test_a_signal_has_it_leave(self) -> None:
        job, address = self.job(command=("sh", "-c", "read n; echo $n; sleep $n"))
        worker = self.worker(address)
        job.feed(b"0.3\n", end=False)
        eventually("the unit to be at work", lambda: self.status(address)["workers"][0].get("unit") == 1 or None)
        worker.process.send_signal(signal.SIGINT)
        self.assertEqual(worker.finish(), 0, worker.stderr)
        self.assertIn("asked to leave; 1 unit finished here", worker.stderr)
        worker = self.worker(address)
        job.feed(b"3600\n", end=False)
        eventually("the unit to be at work", lambda: self.status(address)["workers"][0].get("unit") == 2 or None)
        worker.process.send_signal(signal.SIGTERM)
        self.assertEqual(worker.finish(), 0, worker.stderr)
        self.assertIn("asked to leave at once; 0 units", worker.stderr)

    def test_a_job_that_cannot_be_done_is_refused(self) -> None:
        job, address = self.job("--stream")
        command = [sys.executable, "-m", "handover_worker", "--connect", address]
        done = subprocess.run(command, cwd=CLIENT, capture_output=True, timeout=SOON)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"--stream", done.stderr)
        job, address = self.job(command=("cat",))
        command = [sys.executable, "-m", "handover_worker", "--connect", address, "--", "no-such-command"]
        done = subprocess.run(command, cwd=CLIENT, capture_output=True, timeout=SOON)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"there is no command 'no-such-command' here", done.stderr)
