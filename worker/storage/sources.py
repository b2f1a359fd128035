"""Reads what is to be uploaded: a local file, or an object of an S3 bucket."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import InvalidPathError, NotSupportedError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from worker.storage.bucket import LIMITS, RETRY

PART_BYTES = 8 * 1024**2
#: What a store says that says the same tomorrow.
FINAL = (InvalidPathError, NotSupportedError, PermissionDeniedError, UnauthenticatedError)


class SourceAwayError(OSError):
    """The store cannot be reached, or fails: what is in it may be read later."""


async def read_source(source: str, max_bytes: int) -> bytes:
    """The bytes at a path, or at a file:// or s3:// URL.

    Raises OSError where they cannot be read (SourceAwayError: now), and ValueError, with nothing read, where there are
    more than `max_bytes`.
    """
    if source.startswith("file://"):
        source = unquote(urlsplit(source).path)
    if not source.startswith("s3://"):
        return await asyncio.to_thread(read_file, Path(source), max_bytes)
    with reading(source):
        found = await found_in_bucket(source)
        check_size(found.meta["size"], max_bytes)  # known from the answer's head
        return bytes(await found.bytes_async())


async def download_source(source: str, path: Path) -> None:
    """Bring the object at an s3:// URL to this disk, a part at a time. Raises OSError and SourceAwayError."""
    with reading(source), path.open("wb") as file:
        async for chunk in (await found_in_bucket(source)).stream(min_chunk_size=PART_BYTES):
            file.write(chunk)


async def found_in_bucket(source: str) -> "obstore.GetResult":
    bucket, _, key = source.removeprefix("s3://").partition("/")
    store = S3Store(bucket, config=LIMITS, retry_config=RETRY)  # type: ignore[arg-type]
    return await obstore.get_async(store, key)


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Raise OSError for what cannot be read: the store's own words are pages of the server's answer."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no {source}") from None
    except FINAL as error:
        raise OSError(f"cannot read {source}: {type(error).__name__}") from None
    except (obstore.exceptions.BaseError, OSError) as error:
        raise SourceAwayError(f"cannot read {source} now: {type(error).__name__}") from None


def read_file(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    check_size(len(data), max_bytes)
    return data


def check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ValueError(f"is larger than {max_bytes / 1024**2:.0f} MB, which is the most that the API takes")
