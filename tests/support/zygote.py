"""Processes of tests without the second or two that imports take: forked from one that has imported all before.

What is forked is what `python -m MODULE`, or a script of ours, would be, with an environment, an output and an end of
its own: a kill -9 kills that process alone, and its exit code is its own. What reads the environment when it is
imported (the settings, the Celery application and all that imports it) is imported after the fork.
"""

import importlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.child import die_with_parent
from worker import failpoints

ROOT = Path(__file__).parents[2]
#: Imported before any fork. None of them starts a thread, opens a socket or reads the environment, but one (`become`).
#: pytest is there because multiprocessing brings a child what its parent has as `__main__`.
PRELOADED = [
    "tests.support.zygote", "celery.apps.beat", "celery.apps.worker", "celery.bin.celery",
    "celery.concurrency.thread", "kombu.transport.redis", "models.session", "psycopg", "pytest",
    "sqlalchemy.dialects.postgresql.psycopg", "worker.cut", "worker.poll", "worker.run", "worker.store",
    "worker.dispatch", "worker.logs", "worker.pulse", "worker.watchdog", "worker.upkeep.deliver",
    "worker.upkeep.disk", "worker.upkeep.ends", "worker.upkeep.fetches", "worker.upkeep.intake", "worker.upkeep.mend",
    "worker.upkeep.prune", "worker.upkeep.publish", "worker.upkeep.rescue", "worker.upkeep.schedules",
    "worker.upkeep.tallies", "worker.webhooks.post", "worker.kick", "cli.act", "cli.export", "cli.jobs", "cli.oneoff",
    "cli.schedule", "cli.steer", "cli.submit", "cli.watch", "cli.webhooks", "worker.format_memory",
]  # fmt: skip
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(PRELOADED)
#: In the process that forks, its own id is meant: who is forked ends with it.
TIE = die_with_parent()


class Forked:
    """As much of `subprocess.Popen` as tests need."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        errors: Path | None = None,
        given: Path | None = None,
        folder: Path = ROOT,
    ) -> None:
        """`command` is what follows `python -m`, or begins with a script's path.

        Output is added to `log`, that of errors to `errors` if it is named; `given` is its input.
        """
        log.touch()
        files = (given or Path(os.devnull), log, errors or log)
        self._process = FORKS.Process(target=become, args=([*command], {**environment}, folder, files), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(["python", "-m"], timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def become(command: list[str], environment: dict[str, str], folder: Path, files: tuple[Path, Path, Path]) -> None:
    """In the forked process."""
    TIE()
    os.chdir(folder)
    for number, (path, mode) in enumerate(zip(files, ("rb", "ab", "ab"), strict=True)):
        with path.open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.stdin = open(0)  # noqa: SIM115 - multiprocessing leads it elsewhere
    os.environ.clear()
    os.environ.update(environment)
    importlib.reload(failpoints)  # it read the environment of who forks
    sys.argv = [*command]
    if "/" in command[0]:
        runpy.run_path(command[0], run_name="__main__")
    else:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
