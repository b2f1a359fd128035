"""Workers and beats of Celery as separate processes, each to be killed, stopped and started as a test likes."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import OperationalError

from sandbox.tones import speak, wav
from tests.support.core import Core
from tests.support.stack import wait_until
from tests.support.zygote import Forked

IMAGE = "cogview-4-250304"
SLOW_IMAGE = "glm-image"
VIDEO = "viduq1-text"
#: Hints and ticks come soon. A lease still bears a busy machine: nothing is to be rescued that lives.
QUICK = {"MEDIAJOBS_LEASE_S": "6", "MEDIAJOBS_HINT_LEASE_S": "1.5", "MEDIAJOBS_TICK_S": "0.5"}
#: For tests of what dies, or is taken for dead.
SHORT_LEASE = {"MEDIAJOBS_LEASE_S": "2.5"}
CELERY = ["celery", "-A", "worker.app"]
#: As `mediajobs up` has them, but with all queues in one process: a test has two cores.
WORKER = [*CELERY, "worker", "--pool", "threads", "--without-gossip", "--without-mingle", "-E", "-l", "info",
          "-Q", "run,store,cut,schedule,poll,upkeep", "-c", "64"]  # fmt: skip
BEAT = [*CELERY, "beat", "-l", "warning"]


@dataclass
class Fleet(Core):
    """A core with Celery between. Names that begin with `beat` are beats, all others are workers."""

    broker_url: str = ""
    running: dict[str, Forked] = field(default_factory=dict)
    #: (name, exit code) of what ended while it was tended.
    ended: list[tuple[str, int]] = field(default_factory=list)

    def enqueue_mixed(self, *, images: int, videos: int, sounds: int = 0, batch: str = "b") -> int:
        """Returns how many there are in all."""
        self.enqueue("image", *({"prompt": f"picture {n}"} for n in range(images)), batch=f"{batch}-images")
        self.enqueue(
            "video", *({"prompt": f"clip {n}", "model": VIDEO} for n in range(videos)), batch=f"{batch}-videos"
        )
        (self.folder / "a.wav").write_bytes(wav(speak(["amber", "basil"])))
        self.enqueue("transcription", *({"file": "a.wav"} for _ in range(sounds)), batch=f"{batch}-sounds")
        return images + videos + sounds

    def launch(self, *names: str, **environment: str) -> None:
        for name in names:
            command = BEAT if name.startswith("beat") else [*WORKER, "-n", f"{name}@%h"]
            given = {
                **self.settings,
                **QUICK,
                **self.environment,
                "MEDIAJOBS_BROKER_URL": self.broker_url,
                **environment,
            }
            self.running[name] = Forked(command, given, self.folder / f"{name}.log")

    def signal(self, name: str, number: signal.Signals) -> None:
        self.running[name].send_signal(number)

    def end(self, name: str) -> int:
        """SIGTERM; returns the exit code."""
        self.signal(name, signal.SIGTERM)
        return self.running.pop(name).wait(timeout=60)

    def kill(self, name: str) -> None:
        """kill -9."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def tend(self) -> None:
        """Start again what ended by itself, as a supervisor does."""
        for name, process in list(self.running.items()):
            if (code := process.poll()) is not None:
                self.ended.append((name, code))
                self.launch(name)

    def close(self) -> None:
        for name in list(self.running):
            self.kill(name)

    def runner(self, job_id: int) -> str | None:
        """Which process of those that live runs the job now."""
        for row in self.rows("select worker from jobs where id = :id and state = 'running'", id=job_id):
            pid = int(row.worker.rpartition(":")[2])
            return next((name for name, process in self.running.items() if process.pid == pid), None)
        return None

    def counts(self) -> dict[str, int]:
        """State → jobs; {} while Postgres is away."""
        try:
            return {row.state: row.n for row in self.rows("select state, count(*) as n from jobs group by 1")}
        except OperationalError:
            return {}

    def left(self) -> int:
        """Jobs under way; what is held waits for a person."""
        ended = ("succeeded", "failed", "cancelled", "held")
        return sum(count for state, count in self.counts().items() if state not in ended)

    def until(self, true: Callable[[], object], what: str, *, timeout_s: float = 60.0) -> Any:
        """As `wait_until`, with what is known if it never comes."""
        try:
            return wait_until(true, what=what, timeout_s=timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self!s}") from None

    def wait_for(self, state: str, count: int) -> None:
        def there() -> bool:
            self.tend()
            return self.counts().get(state, 0) >= count

        self.until(there, f"{count} {state}")

    def wait_until_ended(self, *, held: bool = False) -> None:
        """Until every job has succeeded, tending all the while; `held` jobs are decided here as by a person: again."""

        def all_ended() -> bool:
            self.tend()
            counts = self.counts()
            if held and counts.get("held"):
                self.resolve_held()
            return bool(counts) and set(counts) == {"succeeded"}

        self.until(all_ended, "the success of all jobs")

    def charged(self) -> int:
        return sum(bool(entry["charged"]) for entry in self.stand_in.ledger())

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in self.folder.glob("*.log"))

    def __str__(self) -> str:
        return f"{self.counts()}\n{self.logs()}"
