"""Makes a recording of some minutes in the sandbox's language of tones, and beside it the words that are in it.

    python examples/make_recording.py talk.m4a --minutes 5

The sandbox hears what was played: a lost or doubled second of sound would be a wrong word in the transcript.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

from sandbox.recordings import CODECS, record
from sandbox.tones import GAP_S, TONE_S, WORDS, recite

PAUSE_S = 0.6
SENTENCE = 9


def script(minutes: float, seed: int) -> Iterator[tuple[str, float]]:
    """Words with the seconds of silence after each. No two alike in a row: they would be heard as one."""
    chance = random.Random(seed)
    at, place, before = 0.0, 0, ""
    while at < minutes * 60:
        place += 1
        before = chance.choice([word for word in WORDS if word != before])
        pause_s = PAUSE_S if place % SENTENCE == 0 else GAP_S
        at += TONE_S + pause_s
        yield before, pause_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("path", type=Path, help=f"ends in {', '.join(CODECS)}")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    said = list(script(given.minutes, given.seed))
    record(given.path, recite(said))
    given.path.with_suffix(".words").write_text(" ".join(word for word, _ in said) + "\n")


if __name__ == "__main__":
    main()
