"""Cuts recordings into pieces that the API takes. Work without a call, done by a process of its own queue."""

import asyncio
import json
import logging
import random
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.recordings import NewPiece
from models.transitions import Claim
from provider.wire import Json
from worker import verdict
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
from worker.settings import settings
from worker.storage import SourceAwayError, download_source

log = logging.getLogger(__name__)

ENCODERS: dict[str, Callable[[Samples], bytes]] = {"wav": to_wav, "mp3": to_mp3}
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
    with desk.in_hand.holding(claim.job_id, claim.fence):
        outcome = await cut_up(claim, desk)
    if not await desk.writer.settle(outcome):
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

    try:
        with desk.in_hand.cuttable(), tempfile.TemporaryDirectory(prefix="mediajobs-") as folder, stopping(stop):
            path = await brought(claim.args["file"], Path(folder))
            # What the sandbox heard is no answer of the API's.
            api = settings().api_base_url
            done = await asyncio.to_thread(cut_file, path, claim.job_id, claim.args, keep, stop, api=api)
    except asyncio.CancelledError:
        return verdict.given_back(claim, "the worker stopped before it was cut")
    except UnreadableAudioError as error:
        return verdict.not_cut(claim, f"{claim.args['file']} {error}")
    except SourceAwayError as error:
        return verdict.source_away(claim, str(error), chance=random.random())
    except OSError as error:
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


async def brought(source: str, folder: Path) -> Path:
    """The file on this disk: containers want to be sought in."""
    if not source.startswith("s3://"):
        return Path(source)
    path = folder / "recording"
    await download_source(source, path)
    return path


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
        length, sound, problems, container = whole
        piece = Piece(0, 0, length, Seam.END, sound, speech_in(sound))
        return Done([row(piece, None, asked, args)], about(container, length, problems))
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
            problems.append("has nothing in it that is loud enough to be heard")
        return Done(pieces, about(recording.container, recording.position, problems))


def as_it_is(path: Path) -> "tuple[int, Samples, list[str], str] | None":
    """What the API takes itself: its length in samples, sound, problems and container; None if it does not."""
    with Recording(path) as recording:
        limits: dict[str, Any] = {"size_bytes": path.stat().st_size, "max_s": MAX_SECONDS, "max_bytes": MAX_BYTES}
        if not goes_as_it_is(recording.container, length_s=recording.declared_s or 0.0, **limits):
            return None
        sound = first_seconds(recording.blocks())
        if not goes_as_it_is(recording.container, length_s=seconds(len(sound)), **limits):
            return None
        return len(sound), sound, recording.problems(), recording.container


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
