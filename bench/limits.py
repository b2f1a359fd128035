"""How fast the learned concurrency finds a hidden limit, how seldom it is refused, how it follows.

    .venv/bin/python -m bench.limits

A whole `mediajobs up --sandbox` at the real API's speed (an image takes 7 s, with a spread). The
stand-in bears 40 images at once, and nobody tells us; we begin with 4, and are allowed 100.
Then it bears half of that. The figures go to `results/`, the picture to `docs/limits.svg`.
"""

import csv
import os
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bench.plot import Line, svg
from tests.support.stack import Stack
from worker.pace import WINDOW_S

MODEL = "cogview-4-250304"
HIDDEN, HALVED, START, CEILING = 40, 20, 4, 100
#: From the start until the limit is halved, and until the end.
HALVED_AT_S, END_S = 150.0, 260.0
#: It is to be found within this; what comes later counts as settled.
GOAL_S = 60.0
#: The new limit is to be followed for so long before it counts as settled again.
SEARCH_S = 40.0
SAMPLES_A_SECOND = 5


@dataclass(frozen=True)
class Sample:
    """What the limit's row says, seconds after the first call."""

    at_s: float
    learned: int
    in_use: int


@dataclass(frozen=True)
class Call:
    """A call as the stand-in saw it, seconds after the first."""

    at_s: float
    refused: bool


@dataclass(frozen=True)
class Run:
    samples: Sequence[Sample]
    calls: Sequence[Call]
    halved_at_s: float

    def refused_share(self, start_s: float, end_s: float) -> str:
        within = [call for call in self.calls if start_s <= call.at_s < end_s]
        refused = sum(call.refused for call in within)
        return f"{refused / len(within):.2%} ({refused} of {len(within)} calls)"


def run(folder: Path) -> Run:
    stack = Stack(folder, "--speed", "1", "--concurrency", "128")
    stack.start()
    try:
        httpx.post(f"{stack.sandbox_url}/_limits", json={MODEL: HIDDEN}).raise_for_status()
        stack.run("limits", "set", MODEL, "--concurrency", str(CEILING), "--start", str(START))
        with (folder / "images.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["prompt"], *([f"picture {number}"] for number in range(5000))])
        began = time.time()
        stack.run("submit", "images.csv", "--kind", "image", "--model", MODEL, "--batch", "limits")
        samples = watch(stack, began, until_s=HALVED_AT_S)
        httpx.post(f"{stack.sandbox_url}/_limits", json={MODEL: HALVED}).raise_for_status()
        halved_at = time.time()
        samples += watch(stack, began, until_s=END_S)
        calls = [as_call(entry, began) for entry in stack.ledger() if entry["status"]]
        first_s = min(call.at_s for call in calls)
        return Run(
            [Sample(each.at_s - first_s, each.learned, each.in_use) for each in samples],
            [Call(each.at_s - first_s, each.refused) for each in calls],
            halved_at - began - first_s,
        )
    finally:
        stack.kill()


def as_call(entry: dict[str, Any], began: float) -> Call:
    return Call(entry["at"] - began, entry["status"] == 429)


def watch(stack: Stack, began: float, *, until_s: float) -> list[Sample]:
    found = []
    with stack.database() as conn:
        while (at_s := time.time() - began) < until_s:
            for learned, in_use in conn.execute("select learned, in_use from limits where model = %s", [MODEL]):
                found.append(Sample(at_s, learned, in_use))
            time.sleep(1 / SAMPLES_A_SECOND)
    return found


def report(found: Run) -> str:
    halved_s = found.halved_at_s
    below = [each.at_s for each in found.samples if each.at_s < halved_s and each.learned < 0.95 * HIDDEN]
    reached_s = next(each.at_s for each in found.samples if each.at_s > below[-1])
    refusal_s = next(call.at_s for call in found.calls if call.refused and call.at_s >= halved_s)
    followed_s = next(each.at_s for each in found.samples if each.at_s > halved_s and each.learned <= HALVED * 1.05)
    settled_s = halved_s + SEARCH_S
    used = [each.in_use for each in found.samples if GOAL_S <= each.at_s < halved_s]
    after = [each.learned for each in found.samples if each.at_s >= settled_s]
    follow_s = max(followed_s - refusal_s, 0.0)
    windows, share = follow_s / WINDOW_S, found.refused_share
    goals = {
        f"95 % of {HIDDEN} reached for good after": f"{reached_s:.1f} s  (to reach: 60 s)",
        f"answered 429 from {GOAL_S:.0f} s on": f"{share(GOAL_S, halved_s)}  (to reach: under 1 %)",
        "slots in use meanwhile": f"{sum(used) / len(used):.1f} of {HIDDEN}",
        "halved: first call refused after": f"{max(refusal_s - halved_s, 0.0):.1f} s",
        f"  learned within 5 % of {HALVED} from then": f"{follow_s:.1f} s, {windows:.1f} windows  (to reach: 2)",
        f"  answered 429 in the first {SEARCH_S:.0f} s": share(halved_s, settled_s),
        "  answered 429 from then on": share(settled_s, END_S),
        "  learned from then on": f"{min(after)} to {max(after)}",
    }
    return "\n".join(
        (
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores; sandbox at speed 1: an image takes 7 s, sigma 0.25",
            f"it bears {HIDDEN} at once, after {halved_s:.0f} s {HALVED}; learned from {START}, ceiling {CEILING}",
            f"a window: {WINDOW_S:.0f} s in which a level is used up, as in worker/pace.py",
            "",
            *(f"{what:45} {figure}" for what, figure in goals.items()),
        )
    )


def picture(found: Run) -> str:
    end_s = found.samples[-1].at_s
    lines = [
        Line("bears at once", "#111827", [(0, HIDDEN), (found.halved_at_s, HALVED), (end_s, HALVED)], dash="6 4"),
        Line("in use", "#93c5fd", [(each.at_s, each.in_use) for each in found.samples], width=1.5),
        Line("learned", "#1d4ed8", [(each.at_s, each.learned) for each in found.samples]),
    ]
    refusals = Counter(int(call.at_s) for call in found.calls if call.refused)
    title = f"A hidden limit of {HIDDEN} is found from {START}, and followed when it is halved"
    return svg(title, lines, sorted(refusals.items()), [(found.halved_at_s, "the limit is halved")], end_s)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mj-") as name:
        found = run(Path(name))
    text = report(found)
    print(text)
    here = Path(__file__).parent
    (here / "results" / f"limits-{datetime.now(UTC):%Y-%m-%d}.txt").write_text(text + "\n")
    (here.parent / "docs" / "limits.svg").write_text(picture(found))


if __name__ == "__main__":
    main()
