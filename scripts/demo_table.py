"""Prints what a demo made, from its manifests alone."""

import json
import sys
from collections import Counter
from pathlib import Path

HEADER = f"{'':10} {'jobs':>5} {'succeeded':>10} {'files':>6} {'MB':>7} {'cost':>8}"


def main(folder: Path) -> None:
    print(HEADER)
    for manifest in sorted(folder.glob("*/manifest.jsonl")):
        jobs = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
        states = Counter(job["state"] for job in jobs)
        files = [output for job in jobs for output in job["outputs"]]
        megabytes = sum(output["bytes"] for output in files) / 1e6
        cost = sum(job["cost"] for job in jobs)
        row = f"{len(jobs):>5} {states['succeeded']:>10} {len(files):>6} {megabytes:>7.1f} {cost:>8.3f}"
        print(f"{manifest.parent.name:10} {row}")
        for job in jobs:
            if job.get("text"):
                print(f"{'':10} {job['key']}: {job['text'][:60]}")
            if job["error"]:
                print(f"{'':10} row {job['row']} {job['state']}: {job['error']['message']}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
