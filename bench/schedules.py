"""How soon a schedule's run has its batch: `python -m bench.schedules [--files 100000] [--new 1000] [--s3]`.

A source with many files of which ten are new, and one with many new ones: as files on this disk, and, with --s3, as
objects of the tests' S3 server, which itself takes most of that time.
"""

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import text

from models.migrate import upgrade
from models.session import make_engine
from sandbox.postgres import EmbeddedPostgres
from sandbox.recordings import record
from tests.support.schedules import Scheduler, say, write
from worker.storage import Storage

A_FOLDER = 1000
#: What is known already, as if an earlier run had taken it.
KNOW = text("""
    insert into source_files (schedule_id, path, size, mtime, etag, sha256, job_id)
    select s.id, f.path, f.size, f.mtime, f.etag, encode(sha256(convert_to(f.path, 'UTF8')), 'hex'), 0
    from schedules s, unnest(
        cast(:path as text[]), cast(:size as bigint[]), cast(:mtime as timestamptz[]), cast(:etag as text[])
    ) as f (path, size, mtime, etag)
    where s.name = :name
""")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--new", type=int, default=1000)
    parser.add_argument("--s3", action="store_true")
    args = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} before: above 1, others are at work here", flush=True)
    with tempfile.TemporaryDirectory(prefix="mj-") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder)
        server.start()
        try:
            url = server.database_url("postgres")
            upgrade(url)
            scheduler = Scheduler(make_engine(url, brief=True), Storage.open((folder / "outputs").as_uri()))
            measure(scheduler, folder, args.files, args.new)
            if args.s3:
                measure_s3(scheduler, folder, args.new)
        finally:
            server.stop()


def measure(scheduler: Scheduler, folder: Path, files: int, new: int) -> None:
    many = folder / "many"
    sound = say("amber")
    for number in range(files):
        write(many, f"{number // A_FOLDER}/{number}.wav", b"x")
    scheduler.add("many", many)
    know(scheduler, "many", many)
    for number in range(10):
        write(many, f"7/new-{number}.wav", sound + bytes(number))
    tell(f"{files:,} files, 10 of them new", lambda: scheduler.run("many"))
    tell(f"{files:,} files, none new", lambda: scheduler.run("many"))
    recordings = {"wav of 1 s": (".wav", sound), "mp3 of 29 s": (".mp3", mp3(folder))}
    for what, (suffix, data) in recordings.items():
        source = folder / what
        for number in range(new):
            write(source, f"{number}{suffix}", data + bytes(number % 4096))
        scheduler.add(what, source, patterns=["*"])
        tell(f"{new:,} new files, {what}", lambda what=what: scheduler.run(what))  # type: ignore[misc]
        shutil.rmtree(source)


def mp3(folder: Path) -> bytes:
    import numpy as np  # noqa: PLC0415 - here alone

    rnd = np.random.default_rng(1)
    path = folder / "one.mp3"
    record(path, [(rnd.standard_normal(16000 * 29) * 0.1).astype(np.float32)], bit_rate=128_000)
    return path.read_bytes()


def know(scheduler: Scheduler, name: str, source: Path) -> None:
    from worker.patterns import Patterns  # noqa: PLC0415 - here alone
    from worker.storage.folder import Folder  # noqa: PLC0415

    listed = list(Folder(source).files(Patterns.of(["**/*.wav"])))
    with scheduler.engine.begin() as conn:
        for start in range(0, len(listed), 10_000):
            part = listed[start : start + 10_000]
            columns = {each: [getattr(file, each) for file in part] for each in ("path", "size", "mtime", "etag")}
            conn.execute(KNOW, {"name": name, **columns})


def measure_s3(scheduler: Scheduler, folder: Path, new: int) -> None:
    from models import sources  # noqa: PLC0415 - with --s3 alone
    from tests.support.s3 import empty_bucket, s3_server  # noqa: PLC0415

    sources.SETTLE_S = -60
    with s3_server(folder / "s3.log") as aws:
        os.environ.update(aws)
        bucket = empty_bucket(aws, "media")
        sound = say("amber")
        for number in range(new):
            bucket.put_object(Key=f"in/{number}.wav", Body=sound + bytes(number % 4096))
        scheduler.add("bucket", "s3://media/in")
        tell(f"{new:,} new objects of 1 s", lambda: scheduler.run("bucket"))
        tell(f"{new:,} objects, none new", lambda: scheduler.run("bucket"))


def tell(what: str, run: Callable[[], dict[str, object]]) -> None:
    before, began = time.process_time(), time.monotonic()
    found = run()
    took, cpu = time.monotonic() - began, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what}: {took:.1f} s, {cpu:.1f} s of CPU here, {peak:.0f} MB at most "
          f"({found['added']} new of {found['found']}, {found['problems']} problems)", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
