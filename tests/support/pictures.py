"""`python -m tests.support.pictures FOLDER`: the README's pictures, of a running stack with something to see.

`--all` takes each page at desktop and phone size, light and dark.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.support.browser import Look, launch, looking
from tests.support.stack import Stack, wait_until

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def furnish(stack: Stack) -> None:
    """Batches of each kind: done, under way, with failures, held, waiting."""
    submit = ("submit", "--batch")
    stack.run(*submit, "pipeline", str(EXAMPLES / "pipeline.jsonl"))
    stack.run(*submit, "lighthouses", str(EXAMPLES / "images.csv"), "--kind", "image")
    stack.run(*submit, "clips", str(EXAMPLES / "videos.jsonl"), "--kind", "video")
    stack.run(*submit, "talks", str(EXAMPLES / "audio" / "audio.csv"), "--kind", "transcription")
    stack.run(*submit, "mail", str(EXAMPLES / "chats.jsonl"), "--kind", "chat")
    rows = [f"a fox, {n}" + ("[[fault:content]]" if n % 9 == 4 else "") for n in range(30)]
    (stack.folder / "foxes.csv").write_text("prompt\n" + "".join(f'"{row}"\n' for row in rows))
    stack.run(*submit, "foxes", "foxes.csv", "--kind", "image", "--budget", "1", "--webhook", "https://hooks.example/x")
    stack.run("webhooks", "add", "https://hooks.example/ops")
    stack.run("budget", "set", "--day", "20")
    folder = stack.folder / "recordings"
    folder.mkdir()
    for path in (EXAMPLES / "audio").glob("*.mp3"):
        (folder / path.name).write_bytes(path.read_bytes())
        os.utime(folder / path.name, (1, 1))  # what is as new as that may still be being written
    stack.run("schedule", "add", "studio", "--cron", "0 2 * * *", "--source", str(folder), "--out", "beside")
    stack.run("schedule", "run", "studio", "--wait")
    for batch, count in (("lighthouses", 60), ("talks", 6), ("foxes", 26), ("pipeline", 5)):
        stack.wait_for(batch, "succeeded", count)
    stack.wait_for("clips", "succeeded", 12)  # none of them is to meet the fault
    stack.play({"fault": "bad_gateway_after", "match": {"endpoint": "video"}, "times": 1})
    stack.run(
        "submit", "-", "--format", "jsonl", "--kind", "video", "--batch", "doubtful", input='{"prompt": "a storm"}\n'
    )
    wait_until(lambda: stack.counts("doubtful").get("held"), what="a video that waits for a person")
    stack.run("pause", "glm-image", "--reason", "the bill is looked at")
    prompts(stack, "harbours", *(f"a harbour in the evening, {n}" for n in range(400)))
    prompts(stack, "waiting", "a quay", "a crane", model="glm-image")
    stack.wait_for("harbours", "succeeded", 40)


def prompts(stack: Stack, batch: str, *given: str, **fields: str) -> None:
    rows = "".join(json.dumps({"prompt": each, **fields}) + "\n" for each in given)
    stack.run("submit", "-", "--format", "jsonl", "--kind", "image", "--batch", batch, input=rows)


#: Name → an id of a job of that kind, or in that state.
JOBS = """
    select kind, min(id) from jobs where state = 'succeeded' and parent_id is null group by 1
    union all select state, min(id) from jobs where state in ('failed', 'held') group by 1
    union all select 'follower', min(later_id) from links
"""


def pages(stack: Stack) -> dict[str, str]:
    """Name → path."""
    with stack.database() as conn:
        batches = dict(conn.execute("select name, id from batches").fetchall())
        jobs = dict(conn.execute(JOBS).fetchall())
    places = ("batches", "jobs", "schedules", "costs", "webhooks", "audit", "submit")
    return {
        "now": "/",
        **{each: f"/{each}" for each in places},
        "schedule": "/schedules/1",
        "queued": "/jobs?state=queued",
        "batch": f"/batches/{batches['harbours']}",
        "failures": f"/batches/{batches['foxes']}",
        "gallery": f"/batches/{batches['lighthouses']}/wall",
        **{f"job-{name}": f"/jobs/{number}" for name, number in jobs.items()},
    }


#: What the README shows: (page, dark, phone). Nothing that tells of the machine that it was taken on.
README = [
    ("now", False, False),
    ("gallery", True, False),
    ("batches", False, False),
    ("failures", True, True),
]


#: Every picture that is in view is there.
SEEN = "[...document.images].every((each) => each.naturalWidth || each.getBoundingClientRect().top > innerHeight)"


def take(look: Look, path: str, file: Path) -> None:
    """A picture of a page when it has come to rest."""
    page = look.open(path)
    page.wait_for_load_state("load")
    look.until(
        "document.body.dataset.laid === undefined || document.body.dataset.laid >= 1 || !document.body.dataset.live"
    )
    look.until(SEEN)
    shot = file.with_suffix(".png")
    page.screenshot(path=shot)
    if file.suffix == ".webp":
        Image.open(shot).save(file, quality=80, method=6)
        shot.unlink()


def main(folder: Path, *, everything: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        stack = Stack(Path(place), "--speed", "10")
        stack.start(MEDIAJOBS_POLL_FIRST_S="0.3", MEDIAJOBS_POLL_MAX_S="1")
        try:
            furnish(stack)
            found = pages(stack)
            wanted = list(README)
            if everything:
                wanted = [(name, dark, phone) for phone in (False, True) for dark in (False, True) for name in found]
            with sync_playwright() as playwright:
                browser = launch(playwright)
                for name, dark, phone in wanted:
                    with looking(browser, stack.services()["addresses"]["dashboard"], dark=dark, phone=phone) as look:
                        marks = f"{'-phone' * phone}{'-dark' * dark}" if everything else ""
                        take(look, found[name], folder / f"{name}{marks}.{'png' if everything else 'webp'}")
                browser.close()
        finally:
            stack.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), everything="--all" in sys.argv)
