"""Reads what is to be uploaded: a local file, or an object of an S3 bucket."""

import asyncio
from pathlib import Path

import obstore
from obstore.store import S3Store


async def read_source(source: str, max_bytes: int) -> bytes:
    """The bytes at a path or an s3:// URL.

    Raises OSError where they cannot be read, and ValueError, with nothing read, where there are more than `max_bytes`.
    """
    if not source.startswith("s3://"):
        return await asyncio.to_thread(read_file, Path(source), max_bytes)
    bucket, _, key = source.removeprefix("s3://").partition("/")
    try:
        found = await obstore.get_async(S3Store(bucket), key)
        check_size(found.meta["size"], max_bytes)  # known from the answer's head
        return bytes(await found.bytes_async())
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no {source}") from None
    except (obstore.exceptions.BaseError, OSError) as error:
        # Its own words are pages of the server's answer.
        raise OSError(f"cannot read {source}: {type(error).__name__}") from None


def read_file(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    check_size(len(data), max_bytes)
    return data


def check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ValueError(f"is larger than {max_bytes / 1024**2:.0f} MB, which is the most that the API takes")
