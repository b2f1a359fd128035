"""Images that rows name: by URL, as base64, or as a file, which goes into the request when that is sent."""

import base64
import re
from collections.abc import Awaitable, Callable
from typing import Any

from provider.wire import Inline
from worker.folders import FILE, Files, file_in, placed
from worker.media import sniff
from worker.references import is_reference

#: The shortest base64 that may be an image: the smallest PNG has 67 bytes.
MIN_BASE64 = 80
BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}")
URLS = ("https://", "http://")
BUCKET = "s3://"
MAX_PATH = 4096
HEAD_BYTES = 64


def located(image: str, folder: Files, *, max_bytes: int, taker: str = "the API") -> str:
    """The image as it is kept: a file of this machine as a file:// URL, all else as it is.

    Raises ValueError for what is no image, or is larger than `max_bytes`. What lies in a bucket is
    looked at when it is sent: it may not be readable from here.
    """
    image = placed(folder, image)
    if image.startswith((*URLS, BUCKET)) or is_reference(image):
        return image
    if image.startswith("data:image/") or (len(image) >= MIN_BASE64 and BASE64.fullmatch(image)):
        check_size(decoded_bytes(image), max_bytes, taker)
        return image
    if len(image) > MAX_PATH or not (path := file_in(folder, image)).is_file():
        raise ValueError(f"names {image[:60]!r}, which is neither an http(s) URL nor base64 of an image nor a file")
    try:
        with path.open("rb") as file:
            check_size(path.stat().st_size, max_bytes, taker)
            image_type(file.read(HEAD_BYTES))
    except OSError as error:
        raise ValueError(f"names {image[:60]!r}, which cannot be read: {error.strerror}") from None
    return path.as_uri()


def image_type(head: bytes) -> str:
    """The mime type, by a file's first bytes. Raises ValueError where it is no image."""
    mime = sniff(head)
    if mime is None or not mime.startswith("image/"):
        raise ValueError(f"is no image: it begins with {head[:8]!r}")
    return mime


def check_size(size: int, max_bytes: int, taker: str) -> None:
    if size > max_bytes:
        raise ValueError(
            f"holds an image of {size / 1024**2:.1f} MB; {taker} takes {max_bytes / 1024**2:.0f} MB at most: "
            "make it smaller, or give a URL"
        )


def decoded_bytes(image: str) -> int:
    """How large an image given as base64 is."""
    digits = "".join(image.partition(",")[2].split() if image.startswith("data:") else image.split())
    return len(digits.rstrip("=")) * 3 // 4


def sendable(image: str, *, max_bytes: int) -> Any:
    """The image as it goes into a request's JSON."""
    return Inline(source=image, max_bytes=max_bytes) if image.startswith((FILE, BUCKET)) else image


async def filled(value: Any, read_source: Callable[[str, int], Awaitable[bytes]]) -> Any:
    """A request's JSON with its images in it. Raises ValueError and OSError for what cannot go or cannot be read."""
    match value:
        case Inline(source=source, max_bytes=max_bytes):
            try:
                data = await read_source(source, max_bytes)
                mime = image_type(data[:HEAD_BYTES])
            except ValueError as error:
                raise ValueError(f"{source} {error}") from None
            return f"data:{mime};base64,{base64.b64encode(data).decode()}"
        case dict():
            return {name: await filled(each, read_source) for name, each in value.items()}
        case list():
            return [await filled(each, read_source) for each in value]
    return value
