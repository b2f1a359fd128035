"""A bucket of an S3-compatible store, or what is below a prefix of it. Credentials by the AWS environment variables."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, InvalidPathError, PreconditionError
from obstore.store import S3Store

from worker.patterns import Patterns
from worker.storage.files import FileError, Found, PlaceError, Trouble, named

CHUNK_BYTES = 1024**2
#: Of the store's client. Its own limit for a whole download is 30 s; a store that is away is given up for this time.
LIMITS: dict[str, Any] = {"connect_timeout": "5s", "read_timeout": "20s", "timeout": "6h"}
RETRY = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class Bucket:
    """By the store's calls that are not async: these run in threads. Raises PlaceError for a URL that none can have."""

    def __init__(self, url: str) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        prefix = prefix.strip("/")
        self.url = f"s3://{bucket}/{prefix}/" if prefix else f"s3://{bucket}/"
        # As `config`, which adds to what the environment says; `client_options` would take its place.
        try:
            self._store = S3Store(bucket, prefix=prefix or None, config=LIMITS, retry_config=RETRY)  # type: ignore[arg-type]
        except (BaseError, ValueError) as error:
            raise PlaceError(f"{url} cannot be used: {said(error)}") from None

    def look(self) -> None:
        for _ in self._pages(1):
            return

    def files(self, patterns: Patterns) -> Iterator[Found | Trouble]:
        for page in self._pages(1000):
            for each in page:
                if patterns.takes(each["path"]):
                    yield named(Found(each["path"], each["size"], each["last_modified"], each["e_tag"]))

    def _pages(self, size: int) -> Iterator[Any]:
        try:
            yield from obstore.list(self._store, chunk_size=size)
        except InvalidPathError as error:
            # The listing ends at it; the store's client has no way to go round it.
            raise PlaceError(
                f"cannot list {self.url}: an object there has a name that cannot be used (an empty part as in a//b, "
                f"a part . or .., or a control character); rename it, or name a prefix without it. {said(error)}"
            ) from None
        except (BaseError, OSError) as error:
            raise PlaceError(f"cannot list {self.url}: {said(error)}") from None

    def read(self, path: str, on_chunk: Callable[[bytes], object]) -> Found:
        try:
            found = obstore.get(self._store, path)
            about = found.meta
            for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                on_chunk(bytes(chunk))
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no {self.url}{path}") from None
        except (BaseError, OSError, ValueError) as error:
            raise FileError(f"cannot be read: {said(error)}") from None
        return Found(path, about["size"], about["last_modified"], about["e_tag"])

    def create(self, path: str, data: bytes) -> bool:
        return self._put(path, data, "create")

    def replace(self, known: Found, data: bytes) -> bool:
        return self._put(known.path, data, {"e_tag": known.etag} if known.etag else "overwrite")

    def _put(self, path: str, data: bytes, mode: Any) -> bool:
        try:
            obstore.put(self._store, path, data, mode=mode, use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            return False
        except (BaseError, OSError, ValueError) as error:
            raise FileError(f"cannot be written: {said(error)}") from None
        return True


def said(error: Exception) -> str:
    """What the store says, without its pages: a code and a message, or what is at the end of its first line."""
    text = str(error)
    code, message = (re.search(f"<{name}>(.*?)</{name}>", text, re.DOTALL) for name in ("Code", "Message"))
    if code:
        return f"{code[1]}: {message[1]}"[:300] if message else code[1][:300]
    return text.partition("\n")[0].rpartition(" - ")[2][:300]
