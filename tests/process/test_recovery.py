"""What is killed, emptied or stopped loses no job, and buys no video twice."""

import hashlib
import io
import json
import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import av
import redis
from PIL import Image

from sandbox.tones import WORDS, speak, wav
from tests.support.stack import Stack, wait_until

IMAGES = 40
VIDEOS = 6


def submit_mixed(stack: Stack) -> None:
    """Images, videos and transcripts, each with something to tell them apart by."""
    images = "key,prompt\n" + "".join(f"i{number},picture {number} [[key:i{number}]]\n" for number in range(IMAGES))
    videos = "".join(
        json.dumps({"key": f"v{number}", "model": "viduq1-text", "prompt": f"clip {number}"}) + "\n"
        for number in range(VIDEOS)
    )
    (stack.folder / "images.csv").write_text(images)
    (stack.folder / "videos.jsonl").write_text(videos)
    names = []
    for number, word in enumerate(WORDS[:8]):
        (stack.folder / f"{word}.wav").write_bytes(wav(speak([word] * 3)))
        names.append(f"a{number},{word}.wav")
    (stack.folder / "audio.csv").write_text("key,file\n" + "\n".join(names) + "\n")
    stack.run("submit", "images.csv", "--kind", "image", "--batch", "images")
    stack.run("submit", "videos.jsonl", "--kind", "video", "--batch", "videos")
    stack.run("submit", "audio.csv", "--kind", "transcription", "--batch", "audio")


def ended(stack: Stack) -> bool:
    """All succeeded; a video whose answer a kill took is held, and is resolved here as a person would."""
    counts: Counter[str] = Counter()
    for batch in ("images", "videos", "audio"):
        counts.update(stack.counts(batch))
    if counts["held"]:
        held = json.loads(stack.run("jobs", "--state", "held", "--json"))
        stack.run("resolve", *(str(job["job"]) for job in held), "--retry")
    return counts["succeeded"] == IMAGES + VIDEOS + 8


def check_outputs(stack: Stack) -> None:
    """Every file is whole and is what its row asked for; the ledger agrees with the record."""
    for line in stack.manifest("images"):
        [output] = line["outputs"]
        data = output["file"].read_bytes()
        assert hashlib.sha256(data).hexdigest() == output["sha256"]
        Image.open(io.BytesIO(data)).verify()
    assert len({line["outputs"][0]["sha256"] for line in stack.manifest("images")}) == IMAGES
    for line in stack.manifest("videos"):
        video, cover = line["outputs"]
        with av.open(str(video["file"])) as container:
            assert sum(1 for _ in container.decode(video=0)) == 10
        assert cover["mime"] == "image/png"
    for line, word in zip(stack.manifest("audio"), WORDS, strict=False):
        assert line["text"] == " ".join([word] * 3)


def check_ledger(stack: Stack) -> None:
    """What was charged is what we know of; only what is flagged was bought twice."""
    assert stack.audit() == []
    ledger = [entry for entry in stack.ledger() if entry["charged"]]
    with stack.database() as conn:
        known = {row[0] for row in conn.execute("select request_id from attempts")}
        flagged = conn.execute("select count(*) from jobs where possibly_charged").fetchone()
    videos = Counter(entry["subject"] for entry in ledger if entry["endpoint"] == "video")
    with stack.database() as conn:
        stored = {row[0] for row in conn.execute("select args ->> 'prompt' from jobs where remote_id is not null")}
        doubtful = {row[0] for row in conn.execute("select args ->> 'prompt' from jobs where possibly_charged")}
    assert all(count == 1 for prompt, count in videos.items() if prompt in stored - doubtful)
    assert all(entry["request_id"] in known for entry in ledger if entry["endpoint"] != "image")
    assert flagged is not None
    assert len(ledger) <= IMAGES + VIDEOS + 8 + flagged[0]


def successor(stack: Stack, program: str, pid: int) -> bool:
    return bool(set(stack.pids(program)) - {pid})


def test_whatever_is_killed_or_emptied_under_a_running_up(stack: Stack) -> None:
    """Workers, broker and Postgres, one after the other, in mid-batch; each by itself is in `tests/chaos`."""
    submit_mixed(stack)

    def emptied() -> bool:
        """A successor may not listen yet."""
        try:
            with redis.Redis.from_url(stack.services()["settings"]["broker_url"]) as broker:
                return bool(broker.flushall())
        except redis.ConnectionError:
            return False

    def empty_the_broker() -> None:
        wait_until(emptied, what="an empty broker")

    stack.wait_for("images", "succeeded", 3)
    empty_the_broker()
    stack.wait_for("images", "succeeded", 8)
    for words in (["run1@%h"], ["store@%h"], ["upkeep@%h"]):
        [pid] = stack.pids(*words)
        os.kill(pid, signal.SIGKILL)
    for program, count in (("bin/postgres", 14), ("valkey-server", 20)):
        stack.wait_for("images", "succeeded", count)
        [pid] = stack.pids(program)
        os.kill(pid, signal.SIGKILL)
        wait_until(partial(successor, stack, program, pid), what=f"the successor of {program}")
    stack.wait_for("images", "succeeded", 26)
    empty_the_broker()
    wait_until(lambda: ended(stack), what="the end of all jobs after the kills")
    check_outputs(stack)
    check_ledger(stack)


def test_a_clean_stop_and_then_a_kill_9_of_everything(stack: Stack, folder: Path) -> None:
    submit_mixed(stack)
    stack.wait_for("images", "succeeded", 3)
    children = stack.pids()
    assert len(children) >= 6
    assert stack.stop() == 0
    assert not [
        pid for pid in children if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert not (folder / "d" / "services.json").exists()
    stack.start(MEDIAJOBS_LEASE_S="3", MEDIAJOBS_HINT_LEASE_S="2")
    with stack.database() as conn:
        row = conn.execute("select count(*) from attempts where outcome = 'unknown'").fetchone()
    assert row == (0,)  # calls under way were finished, not cut off
    stack.wait_for("images", "succeeded", 12)
    stack.kill()
    stack.start(MEDIAJOBS_LEASE_S="3", MEDIAJOBS_HINT_LEASE_S="2")
    wait_until(lambda: ended(stack), what="the end of all jobs after stop and kill")
    check_outputs(stack)
    check_ledger(stack)
