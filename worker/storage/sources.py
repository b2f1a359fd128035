"""Reads what is to be uploaded: a local file, or an object of an S3 bucket."""

import asyncio
from pathlib import Path

import obstore
from obstore.store import S3Store


async def read_source(source: str) -> bytes:
    """The bytes at a path or an s3:// URL. Raises OSError where they cannot be read."""
    if not source.startswith("s3://"):
        return await asyncio.to_thread(Path(source).read_bytes)
    bucket, _, key = source.removeprefix("s3://").partition("/")
    try:
        found = await obstore.get_async(S3Store(bucket), key)
        return bytes(await found.bytes_async())
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no {source}") from None
    except (obstore.exceptions.BaseError, OSError) as error:
        # Its own words are pages of the server's answer.
        raise OSError(f"cannot read {source}: {type(error).__name__}") from None
