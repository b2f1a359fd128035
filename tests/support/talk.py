"""Long recordings for tests: words with known times, and what became of them."""

import random
from pathlib import Path
from typing import Any

from sandbox.recordings import record
from sandbox.tones import WORDS, Spoken, recite, timed
from tests.support.core import Core


def script(seconds: float, *, seed: int = 1, pauses: bool = True) -> list[tuple[str, float]]:
    """Words with the silence after each; sentences end with a pause, unless nobody is to pause."""
    chance = random.Random(seed)
    words: list[tuple[str, float]] = []
    at = 0.0
    while at < seconds:
        # No two alike in a row: such a tone would be heard as one.
        word = chance.choice([each for each in WORDS if not words or each != words[-1][0]])
        pause = 0.6 if pauses and len(words) % 9 == 8 else 0.09
        words.append((word, pause))
        at += 0.16 + pause
    return words


def recording(core: Core, seconds: float, name: str = "long.wav", **how: Any) -> list[Spoken]:
    said = script(seconds, **how)
    record(core.folder / name, recite(said))
    return list(timed(said))


def said_in(core: Core, job: int, role: str = "text") -> str:
    row = core.rows("select location from outputs where job_id = :job and role = :role", job=job, role=role)[0]
    return Path(core.folder / "outputs" / row.location).read_text()


def charged(core: Core) -> int:
    return sum(bool(entry["charged"]) for entry in core.stand_in.ledger())
