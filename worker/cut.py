"""Cuts recordings into pieces that the API takes. Work without a call, done by a process of its own queue."""

import asyncio
import hashlib
import json
import logging
import os
import random
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from models.recordings import NewPiece
from models.transitions import Claim
from provider.wire import Json
from worker import logs, verdict
from worker.audio.decode import Recording, UnreadableAudioError
from worker.audio.encode import to_mp3, to_wav
from worker.audio.identity import cache_key
from worker.audio.plan import Seam, goes_as_it_is, rules_for
from worker.audio.sound import Samples, seconds
from worker.audio.split import Piece, speech_in, split
from worker.desk import Desk
from worker.failpoints import failpoint
from worker.finish import Outcome
from worker.kinds.transcription import MAX_BYTES, MAX_SECONDS, OURS
from worker.pipeline import NoOutputError
from worker.settings import settings
from worker.storage import SourceAwayError, download_source
from worker.taking import taken

log = logging.getLogger(__name__)

ENCODERS: dict[str, Callable[[Samples], bytes]] = {"wav": to_wav, "mp3": to_mp3}
SCRATCH = "mediajobs-cut"
#: Seconds between two looks whether a recording was cancelled.
LOOK_S = 2.0
SILENT = "has nothing in it that is loud enough to be heard"
#: Puts a piece's file into the store: path below it, bytes.
Keep = Callable[[str, bytes], None]


class StoppedError(Exception):
    """The worker is to let go."""


class NotKeptError(Exception):
    """The store does not take a piece."""


async def cut(job_ids: Sequence[int], desk: Desk) -> None:
    """Cut the recordings of one message, each in a thread."""
    if desk.in_hand.stopping:
        return
    claims = await desk.writer.claim(job_ids)
    await asyncio.gather(*(cut_one(claim, desk) for claim in claims))


async def cut_one(claim: Claim, desk: Desk) -> None:
    with logs.about(claim):
        with desk.in_hand.holding(claim.job_id, claim.fence):
            outcome = await cut_up(claim, desk)
        moved = await desk.writer.settle(outcome)
        logs.step(outcome.move)
        if not moved:
            log.warning("job %d: taken over by a later claim, which cuts it again", claim.job_id)


async def cut_up(claim: Claim, desk: Desk) -> Outcome:
    """Cut one recording, and say what came of it."""
    loop = asyncio.get_running_loop()
    stop = threading.Event()

    def keep(path: str, data: bytes) -> None:
        try:
            asyncio.run_coroutine_threadsafe(desk.storage.put_bytes(path, data), loop).result()
        except Exception as error:
            raise NotKeptError(f"cannot store a piece: {type(error).__name__}: {str(error)[:300]}") from error

    args = claim.args
    if desk.in_hand.stopping:  # it was claimed before, and `cut_off` may be over
        return verdict.given_back(claim, "the worker stopped before it was cut")
    try:
        with desk.in_hand.cuttable(), stopping(stop):
            args = await taken(claim, desk)
            with scratch(args["file"]) as folder:
                path = await brought(args["file"], folder)
                if await asyncio.to_thread(has_changed, path, args.get("sha256")):
                    return verdict.not_cut(claim, f"{args['file']} has changed since it was found")
                # What the sandbox heard is no answer of the API's.
                api = settings().api_base_url
                async with stopped_by_cancel(claim, desk, stop):
                    done = await asyncio.to_thread(cut_file, path, claim.job_id, args, keep, stop, api=api)
    except StoppedError:
        return verdict.given_back(claim, "it was cancelled while it was cut")
    except asyncio.CancelledError:
        return verdict.given_back(claim, "the worker stopped before it was cut")
    except UnreadableAudioError as error:
        return verdict.not_cut(claim, f"{args['file']} {error}")
    except SourceAwayError as error:
        return verdict.source_away(claim, str(error), chance=random.random())
    except (OSError, NoOutputError) as error:
        return verdict.not_cut(claim, str(error))
    except NotKeptError as error:
        return verdict.pieces_not_kept(claim, str(error))
    except Exception as error:
        # One odd file: this job alone fails, in words. To cut it again costs nothing.
        log.exception("job %d: unexpected", claim.job_id)
        return verdict.not_cut(claim, f"{claim.args['file']} cannot be cut: {type(error).__name__}: {str(error)[:300]}")
    return verdict.cut(claim, done.pieces, json.dumps(done.about, ensure_ascii=False).encode())


@contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """Stop the thread where its coroutine is cut off."""
    try:
        yield
    finally:
        stop.set()


CANCELLED = text("select cancel_requested from jobs where id = :job and fence = :fence")


@asynccontextmanager
async def stopped_by_cancel(claim: Claim, desk: Desk, stop: threading.Event) -> AsyncIterator[None]:
    """Stop the thread soon after an operator cancels: it may have an hour to go, and holds a slot."""

    def is_cancelled() -> bool:
        try:
            with desk.writer.engine.connect() as conn:
                values = {"job": claim.job_id, "fence": claim.fence}
                return bool(conn.execute(CANCELLED, values).scalar())
        except SQLAlchemyError:
            return False  # asked again

    async def watch() -> None:
        while not await asyncio.to_thread(is_cancelled):  # noqa: ASYNC110 - what is waited for is a row
            await asyncio.sleep(LOOK_S)
        stop.set()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


@contextmanager
def scratch(source: str) -> Iterator[Path]:
    """A folder for what is brought from a bucket, named after this process; those of dead ones are deleted."""
    for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH}-*-*"):
        pid = left.name.split("-")[-2]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)
    if not source.startswith("s3://"):
        yield Path(source).parent
        return
    with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}-{os.getpid()}-") as folder:
        yield Path(folder)


async def brought(source: str, folder: Path) -> Path:
    """The file on this disk: containers want to be sought in."""
    if not source.startswith("s3://"):
        return Path(source)
    path = folder / "recording"
    await download_source(source, path)
    return path


def has_changed(path: Path, sha256: str | None) -> bool:
    """Whether a file is not what a schedule found; one that is gone is told by who reads it."""
    if sha256 is None or not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() != sha256


@dataclass(frozen=True, slots=True)
class Done:
    """`about`: container, length, and what is wrong with the file."""

    pieces: list[NewPiece]
    about: Json


def cut_file(path: Path, job_id: int, args: Json, keep: Keep, stop: threading.Event, *, api: str) -> Done:
    """Decode, cut and encode; the same file gives the same pieces. Raises UnreadableAudioError, NotKeptError."""
    asked = {name: value for name, value in args.items() if name not in OURS and name != "stream"}
    asked["api"] = api
    form = args.get("pieces") or "wav"
    encode = ENCODERS[form]
    whole = as_it_is(path)
    if whole is not None:
        length, sound, container = whole
        piece = Piece(0, 0, length, Seam.END, sound, speech_in(sound))
        return Done([row(piece, None, asked, args)], about(container, length, [] if piece.speech else [SILENT]))
    pieces: list[NewPiece] = []
    with Recording(path) as recording:
        for piece in split(stoppable(recording.blocks(), stop), rules_for(max_s=MAX_SECONDS, max_bytes=MAX_BYTES)):
            location = None
            if piece.speech:
                location = f"pieces/{job_id // 1000:06d}/{job_id}/{piece.index:05d}.{form}"
                keep(location, encode(piece.samples))
                failpoint("cut.kept")
            pieces.append(row(piece, location, asked, args))
        problems = recording.problems()
        if not any(each.speech for each in pieces):
            problems.append(SILENT)
        return Done(pieces, about(recording.container, recording.position, problems))


def as_it_is(path: Path) -> "tuple[int, Samples, str] | None":
    """What the API takes itself, and nothing is wrong with: its length in samples, sound and container; else None."""
    with Recording(path) as recording:
        limits: dict[str, Any] = {"size_bytes": path.stat().st_size, "max_s": MAX_SECONDS, "max_bytes": MAX_BYTES}
        if not goes_as_it_is(recording.container, length_s=recording.declared_s or 0.0, **limits):
            return None
        sound = first_seconds(recording.blocks())
        if not goes_as_it_is(recording.container, length_s=seconds(len(sound)), **limits):
            return None
        return None if recording.problems() else (len(sound), sound, recording.container)


def first_seconds(blocks: Iterator[Samples]) -> Samples:
    """The sound, as far as is needed to know that it is too long."""
    import numpy as np  # noqa: PLC0415

    found: list[Samples] = []
    for block in blocks:
        found.append(block)
        if seconds(sum(map(len, found))) > MAX_SECONDS:
            break
    return np.concatenate(found)


def row(piece: Piece, location: str | None, asked: Json, args: Json) -> NewPiece:
    # With context a piece is asked about with words that are not known yet.
    shared = bool(piece.speech) and not args.get("context")
    return NewPiece(
        index=piece.index,
        begins=piece.start,
        ends=piece.end,
        seam=piece.seam,
        speech=piece.speech,
        location=location,
        cache_key=cache_key(piece.samples, asked) if shared else None,
    )


def about(container: str, length: int, problems: list[str]) -> Json:
    return {"container": container, "length_s": round(seconds(length), 3), "problems": problems}


def stoppable(blocks: Iterator[Samples], stop: threading.Event) -> Iterator[Samples]:
    for block in blocks:
        if stop.is_set():
            raise StoppedError
        yield block
