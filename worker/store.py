"""Stores the outputs of answered jobs: fetched at once, for their URLs expire; committed last."""

import asyncio
import hashlib
import logging
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from models.recordings import PIECES
from models.transitions import Fetch, StoredOutput
from provider.client import DownloadError
from provider.events import read_body
from provider.unwrap import unwrap
from worker import logs, verdict
from worker.desk import Desk
from worker.failpoints import failpoint
from worker.finish import Outcome
from worker.kind import Output, Outputs, Result, UnreadableAnswerError, read_answer
from worker.kinds import KINDS
from worker.media import BadDownloadError, check_download, sniff, suffix_for
from worker.storage import TooLargeError

log = logging.getLogger(__name__)

#: Bytes that are read before a file's name is chosen: enough for every magic number.
HEAD_BYTES = 64


async def store(job_ids: Sequence[int], desk: Desk) -> None:
    """Store outputs, as many as a message has jobs, side by side: those first whose URLs die first."""
    if desk.in_hand.stopping:
        return
    fetches = await desk.writer.claim_fetches(len(job_ids))
    await asyncio.gather(*(store_one(fetch, desk) for fetch in fetches))


async def store_one(fetch: Fetch, desk: Desk) -> None:
    with logs.about(fetch):
        with desk.in_hand.holding(fetch.job_id, fetch.fence):
            outcome = await fetch_all(fetch, desk)
        await desk.writer.settle(outcome)
        logs.step(outcome.move)


async def fetch_all(fetch: Fetch, desk: Desk) -> Outcome:
    if desk.in_hand.stopping:  # it was claimed before, and `cut_off` may be over
        return verdict.fetch_given_back(fetch)
    if fetch.crashes >= verdict.MAX_FETCH_CRASHES:
        return verdict.set_aside(fetch)
    rules: Any = {"max_gone": desk.max_gone, "chance": random.random()}
    if fetch.kind not in KINDS:
        return verdict.not_stored(fetch, "unknown_kind", verdict.no_kind(fetch.kind), gone=False, **rules)
    try:
        result = await found_in(fetch, desk)
    except (UnreadableAnswerError, ValueError) as error:
        return verdict.nothing_to_store(fetch, str(error))
    except SQLAlchemyError as error:  # a recording's pieces: they are there, and can be read again
        said = f"cannot read the pieces: {type(getattr(error, 'orig', None) or error).__name__}"
        return verdict.not_stored(fetch, "database", said, gone=False, **rules)
    if not isinstance(result, Outputs) or not result.outputs:
        return verdict.nothing_to_store(fetch, "the answer names no output")
    try:
        with desk.in_hand.cuttable():
            async with desk.downloads:
                failpoint("store.fetching")
                stored = [
                    await keep(f"{fetch.job_id // 1000:06d}/{fetch.job_id}-{index}", index, output, desk)
                    for index, output in small_first(result.outputs)
                ]
                failpoint("store.stored")
    except asyncio.CancelledError:
        return verdict.fetch_given_back(fetch)
    except (DownloadError, BadDownloadError) as error:
        gone = isinstance(error, BadDownloadError) or error.gone
        return verdict.not_stored(fetch, "download_failed", str(error), gone=gone, **rules)
    except TooLargeError as error:
        return verdict.too_large(fetch, str(error))
    except Exception as error:
        log.exception("job %d: cannot store", fetch.job_id)
        # A store may say pages; its first line tells enough.
        said = str(error).partition("\n")[0][:300]
        message = f"cannot store the output: {type(error).__name__}: {said}"
        return verdict.not_kept(fetch, message, **rules)
    return verdict.stored(fetch, tuple(stored), result.missing)


async def found_in(fetch: Fetch, desk: Desk) -> Result:
    """What there is to store: what the answer names, or, for a recording, its pieces' texts put together."""
    answer = unwrap(read_body(fetch.answer))
    if fetch.remote_id != PIECES:
        return read_answer(KINDS[fetch.kind], answer, fetch.args)
    from worker.gather import transcript_of  # noqa: PLC0415 - numpy, for recordings alone

    return await asyncio.to_thread(transcript_of, desk.writer.engine, fetch.job_id, answer)


def small_first(outputs: Sequence[Output]) -> list[tuple[int, Output]]:
    """Covers before their videos: one that is not there yet makes no video download again."""
    return sorted(enumerate(outputs), key=lambda each: each[1].role != "cover")


async def keep(stem: str, index: int, output: Output, desk: Desk) -> StoredOutput:
    """Put one output into the store. Raises DownloadError, BadDownloadError, or what the store raises."""
    if output.data is not None:
        location = stem + output.suffix
        mime = sniff(output.data) or output.mime
        await desk.storage.put_bytes(location, output.data)
        digest, size = hashlib.sha256(output.data).hexdigest(), len(output.data)
    else:
        location, mime, digest, size = await download(stem, output, desk)
    return StoredOutput(
        index=index,
        role=output.role,
        location=location,
        mime=mime,
        bytes=size,
        sha256=digest,
        text=output.text,
    )


async def download(stem: str, output: Output, desk: Desk) -> tuple[str, str, str, int]:
    """Stream a result into the store, hashed on the way; returns location, mime, sha256, bytes.

    Only what has the length and the type of what it should be keeps its name.
    """
    if output.url is None:
        raise BadDownloadError("the answer has neither a URL nor data for this output")
    async with desk.client.download(output.url) as response:
        chunks = aiter(response.chunks)
        head = b""
        async for chunk in chunks:
            head += chunk
            if len(head) >= HEAD_BYTES:
                break
        mime = check_download(output.role, head=head, content_type=response.content_type)
        location = stem + (suffix_for(mime) or output.suffix)
        stored = await desk.storage.put(location, chain(head, chunks), max_bytes=desk.max_download_bytes)
    if response.length is not None and stored.bytes != response.length:
        await desk.storage.delete(location)
        raise BadDownloadError(f"cut short: {stored.bytes} of {response.length} bytes came")
    return location, mime, stored.sha256, stored.bytes


async def chain(head: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for chunk in rest:
        yield chunk
