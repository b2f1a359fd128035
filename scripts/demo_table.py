"""Prints what a demo made, by batch and kind, from its manifests alone, and opens every file.

Exit code 1 if one is missing, is not as its manifest says, or does not open.
"""

import hashlib
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import av
from PIL import Image

HEADER = f"{'':9} {'kind':14} {'jobs':>5} {'succeeded':>10} {'files':>6} {'opened':>7} {'MB':>6} {'cost':>8}"
#: Texts that are shown of a batch's kind.
SHOWN = 7


def main(folder: Path) -> int:
    print(HEADER)
    wrong: list[str] = []
    for manifest in sorted(folder.glob("*/manifest.jsonl")):
        by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in manifest.read_text(encoding="utf-8").splitlines():
            job = json.loads(line)
            by_kind[job["kind"]].append(job)
        for kind, jobs in by_kind.items():
            wrong += tell(manifest.parent, kind, jobs)
    for each in wrong:
        print(each, file=sys.stderr)
    return 1 if wrong else 0


def tell(folder: Path, kind: str, jobs: list[dict[str, Any]]) -> list[str]:
    """A row of the table, and under it what was said and what failed; returns the files that are wrong."""
    files = [output for job in jobs for output in job["outputs"]]
    wrong = [f"{folder / output['path']}: {error}" for output in files if (error := fault(folder, output))]
    succeeded = Counter(job["state"] for job in jobs)["succeeded"]
    megabytes = sum(output["bytes"] for output in files) / 1e6
    cost = sum(job["cost"] for job in jobs)
    counts = f"{len(jobs):>5} {succeeded:>10} {len(files):>6} {len(files) - len(wrong):>7}"
    print(f"{folder.name:9} {kind:14} {counts} {megabytes:>6.1f} {cost:>8.3f}")
    said = [job for job in jobs if job.get("text")]
    for job in said[:SHOWN]:
        print(f"{'':9} {job['key']}: {' '.join(job['text'].split())[:60]}")
    if len(said) > SHOWN:
        print(f"{'':9} and {len(said) - SHOWN} more")
    for job in jobs:
        if job["error"]:
            print(f"{'':9} row {job['row']} {job['state']}: {job['error']['message']}")
    return wrong


def fault(folder: Path, output: dict[str, Any]) -> str | None:
    """Why a file is not what its manifest says; None where it is."""
    path = folder / output["path"]
    try:
        data = path.read_bytes()
        if (len(data), hashlib.sha256(data).hexdigest()) != (output["bytes"], output["sha256"]):
            return "is not the file of its manifest"
        look(path, data, output["mime"])
    except (OSError, ValueError, SyntaxError, StopIteration, av.FFmpegError) as error:
        return f"does not open: {error!r}"
    return None


def look(path: Path, data: bytes, mime: str) -> None:
    """Opens it as what it is. Raises what its library does."""
    if mime.startswith("image/"):
        with Image.open(path) as picture:
            picture.load()
    elif mime.startswith("video/"):
        with av.open(str(path)) as video:
            next(video.decode(video=0))
    elif mime == "application/json":
        json.loads(data)
    elif mime.startswith("text/"):
        data.decode()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
