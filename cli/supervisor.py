"""Keeps child processes running, and ends them in good order."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sandbox.child import die_with_parent
from worker.settings import settings

#: A child that keeps ending is started again ever later, up to this.
MAX_DELAY_S = 30.0
#: One that ran for so long starts with a clean slate.
STEADY_S = 60.0
#: What a worker may take, after its own grace for the calls in hand, to write and end.
LAST_S = 20.0


class Service(Protocol):
    """Something that can be started, looked at, and stopped."""

    def start(self) -> None: ...

    def alive(self) -> bool: ...

    def stop(self) -> None: ...


@dataclass
class Child:
    """A process of ours, its output in a log file."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    #: Seconds that it may take to end; None: as long as a worker with calls in hand.
    ends_in_s: float | None = None
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call
                start_new_session=True,  # Ctrl-C is for the parent, which ends its children in order
            )

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ask_to_stop(self) -> None:
        if self.process is not None and self.alive():
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        self.ask_to_stop()
        if self.process is not None:
            try:
                self.process.wait(timeout=settings().grace_s + LAST_S if self.ends_in_s is None else self.ends_in_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def kill(self) -> None:
        if self.process is not None and self.alive():
            self.process.kill()


@dataclass
class Kept:
    service: Service
    started_at: float
    deaths: int = 0
    due_at: float | None = None


@dataclass
class Supervisor:
    """Starts services, starts again what ends by itself, and stops all in reverse."""

    say: Callable[[str], None]
    _kept: dict[str, Kept] = field(default_factory=dict)

    def start(self, name: str, service: Service) -> None:
        service.start()
        self._kept[name] = Kept(service, time.monotonic())

    def check(self) -> None:
        """Look at each once. Call it a few times a second, from the thread that started them."""
        now = time.monotonic()
        for name, kept in self._kept.items():
            if kept.due_at is not None:
                if now >= kept.due_at:
                    kept.due_at, kept.started_at = None, now
                    self._start_again(name, kept)
            elif not kept.service.alive():
                self._died(name, kept, "ended by itself")

    def _start_again(self, name: str, kept: Kept) -> None:
        try:
            kept.service.start()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from starting may pass
            self._died(name, kept, f"did not start ({error})")

    def _died(self, name: str, kept: Kept, how: str) -> None:
        """Start it again, ever later while it keeps ending."""
        now = time.monotonic()
        kept.deaths = 1 if now - kept.started_at > STEADY_S else kept.deaths + 1
        delay = min(MAX_DELAY_S, 0.25 * 2 ** (kept.deaths - 1))
        kept.due_at = now + delay
        self.say(f"{name} {how}; starting it again")

    def stop(self) -> None:
        """Ask all children first, so that they end side by side; then wait for each, the last started first."""
        for kept in self._kept.values():
            if isinstance(kept.service, Child):
                kept.service.ask_to_stop()
        for name in reversed(list(self._kept)):
            try:
                self._kept[name].service.stop()  # it stays in reach of `kill`
            except Exception as error:  # noqa: BLE001 - those before it, Postgres the first, are to end in order all the same
                self.say(f"{name} did not stop in order: {error}")
        self._kept.clear()

    def kill(self) -> None:
        """End the children at once."""
        for kept in self._kept.values():
            if isinstance(kept.service, Child):
                kept.service.kill()
