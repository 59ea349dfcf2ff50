"""The command: `python -m handover_worker --connect ADDR [OPTIONS] [MODULE:FUNCTION | -- COMMAND …]`."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from .command import CommandHandler
from .errors import HandoverError, JobError
from .messages import Job
from .transport import Tls
from .unit import Handler
from .worker import Worker

EXAMPLES = """examples:
  python -m handover_worker --connect 127.0.0.1:7000 -- ./convert {}
  python -m handover_worker --connect 127.0.0.1:7000 my_module:handle
  python -m handover_worker --connect host:7000 --tls worker-1/

Without COMMAND and function, the job's own command is run. {} stands for the unit, {#} for its number; without {}
the unit is the command's standard input. Ctrl-C leaves when the unit at hand is done, twice gives it back."""


def parser() -> argparse.ArgumentParser:
    """The options."""
    options = argparse.ArgumentParser(
        prog="python -m handover_worker",
        description="Joins a `handover map --listen ADDR` and works on its units, one at a time.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--connect", required=True, metavar="HOST:PORT", help="where the job listens")
    options.add_argument(
        "--token", default=os.environ.get("HANDOVER_TOKEN"), help="the job's token [env: HANDOVER_TOKEN]"
    )
    options.add_argument("--tls", metavar="DIR", help="peer.pem, peer.key and authority.pem, of `handover cert peer`")
    options.add_argument("--tls-certificate", metavar="FILE")
    options.add_argument("--tls-key", metavar="FILE")
    options.add_argument("--tls-authority", metavar="FILE")
    options.add_argument("--tls-peer", metavar="NAME", help="the name that the coordinator's certificate must have")
    options.add_argument("--insecure-plain-tcp", action="store_true", help="plain TCP to another machine")
    options.add_argument("--limit", type=int, default=16 << 20, metavar="BYTES", help="of a unit or a result")
    options.add_argument(
        "--patience", type=float, default=0.0, metavar="SECONDS", help="wait so long until somebody listens there"
    )
    options.add_argument("--name", help="what this worker is called")
    options.add_argument("--quiet", action="store_true")
    options.add_argument("function", nargs="?", metavar="MODULE:FUNCTION", help="is called with each unit")
    return options


def tls_of(options: argparse.Namespace) -> Tls | None:
    """The files that the options name, if they ask for TLS."""

    def file(named: str | None, default: str) -> str | None:
        return named or (os.path.join(options.tls, default) if options.tls else None)

    certificate = file(options.tls_certificate, "peer.pem")
    key = file(options.tls_key, "peer.key")
    authority = file(options.tls_authority, "authority.pem")
    if certificate and key and authority:
        return Tls(certificate, key, authority, options.tls_peer)
    if certificate or key or authority or options.tls_peer:
        raise SystemExit("handover_worker: TLS needs a certificate, a key and an authority: give --tls DIR")
    return None


def load(name: str) -> Handler:
    """The function `module:function`."""
    module, colon, function = name.partition(":")
    if not colon:
        raise SystemExit(f"handover_worker: {name!r} is no MODULE:FUNCTION; a command comes after --")
    sys.path.insert(0, os.getcwd())
    try:
        loaded: Handler = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise SystemExit(f"handover_worker: {name} cannot be loaded: {error}") from error
    return loaded


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command: list[str] = []
    if "--" in words:
        at = words.index("--")
        words, command = words[:at], words[at + 1 :]
    options = parser().parse_args(words)
    if options.function and command:
        raise SystemExit("handover_worker: give a function or a command, not both")

    def say(sentence: str) -> None:
        if not options.quiet:
            print(f"handover_worker: {sentence}", file=sys.stderr, flush=True)

    handler: Handler
    check: Callable[[Job], None]
    if options.function:
        handler, check = load(options.function), lambda job: None
    else:
        runner = CommandHandler(command or None)
        handler, check = runner, runner.check_job

    def on_job(job: Job) -> None:
        check(job)
        say(f"joined {options.connect}")

    worker = Worker(
        options.connect,
        handler,
        token=options.token,
        tls=tls_of(options),
        insecure_plain_tcp=options.insecure_plain_tcp,
        limit=options.limit,
        name=options.name,
        patience=options.patience,
        on_job=on_job,
    )
    asked = 0

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        worker.leave(now=asked > 1 or number != signal.SIGINT)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    try:
        summary = worker.run()
    except JobError as error:
        print(f"handover_worker: {error}", file=sys.stderr)
        return 2
    except HandoverError as error:
        print(f"handover_worker: {error}", file=sys.stderr)
        return 1
    say(f"{summary.reason}; {summary.finished} {'unit' if summary.finished == 1 else 'units'} finished here")
    return 0


if __name__ == "__main__":
    sys.exit(main())
