"""Images that rows name: by URL, as base64, or as a file, which goes into the request when that is sent."""

import base64
import re
from collections.abc import Awaitable, Callable
from typing import Any

from provider.wire import Inline
from worker.folders import FILE, Files, file_in, placed
from worker.kind import from_cell, storable
from worker.media import sniff
from worker.references import is_reference
from worker.wording import PartError, shown

#: The shortest base64 that may be an image: the smallest PNG has 67 bytes.
MIN_BASE64 = 80
BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}")
URLS = ("https://", "http://")
BUCKET = "s3://"
MAX_PATH = 4096
HEAD_BYTES = 64


def all_located(given: Any, folder: Files, *, most: int, max_bytes: int, taker: str = "the API") -> list[str]:
    """One image, or a list of at most `most` (in a CSV's cell as JSON), as they are kept. Raises ValueError."""
    match from_cell(given):
        case str() as image:
            return [located(image, folder, max_bytes=max_bytes, taker=taker)]
        case list() as images if len(images) > most:
            raise ValueError(f"has {len(images)} images; at most {most} are allowed")
        case list() as images:
            found = []
            for number, image in enumerate(images, 1):
                try:
                    found.append(located(image, folder, max_bytes=max_bytes, taker=taker))
                except ValueError as error:
                    raise PartError(f"image {number}, {shown(image)}, {error}") from None
            return found
    raise ValueError(f"is no image; {FORMS}, or a list of these")


FORMS = "give an http(s) URL, base64, a path that starts from the manifest's folder, or s3://bucket/name"


def located(given: Any, folder: Files, *, max_bytes: int, taker: str = "the API") -> str:
    """The image as it is kept: a file of this machine as a file:// URL, all else as it is.

    Raises ValueError for what is no image, or is larger than `max_bytes`; the message goes on after the value. What
    lies in a bucket is looked at when it is sent: it may not be readable from here.
    """
    if not isinstance(given, str):
        raise ValueError(f"is no image; {FORMS}")  # noqa: TRY004 - of the value, for pydantic
    storable(given)
    image = placed(folder, given)
    if image.startswith((*URLS, BUCKET)) or is_reference(image):
        return image
    if image.startswith("data:image/") or (len(image) >= MIN_BASE64 and BASE64.fullmatch(image)):
        check_size(decoded_bytes(image), max_bytes, taker)
        image_type(head_of(image))
        return image
    path = file_in(folder, image)
    try:
        if len(image) > MAX_PATH or not path.is_file():
            known = "an http(s) URL nor base64 of an image nor a file"
            raise ValueError(f"is neither {known}; paths start from the manifest's folder")
        with path.open("rb") as file:
            check_size(path.stat().st_size, max_bytes, taker)
            image_type(file.read(HEAD_BYTES))
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    return path.as_uri()


def image_type(head: bytes) -> str:
    """The mime type, by a file's first bytes. Raises ValueError where it is no image."""
    mime = sniff(head)
    if mime is None or not mime.startswith("image/"):
        raise ValueError(f"is no image: it begins with {shown(head[:8].decode('latin-1'))}; give a PNG or JPEG")
    return mime


def check_size(size: int, max_bytes: int, taker: str) -> None:
    if size > max_bytes:
        raise ValueError(
            f"holds an image of {size / 1024**2:.1f} MB; {taker} takes {max_bytes / 1024**2:.0f} MB at most: "
            "make it smaller, or give a URL"
        )


def decoded_bytes(image: str) -> int:
    """How large an image given as base64 is."""
    return len(digits_of(image).rstrip("=")) * 3 // 4


def digits_of(image: str) -> str:
    return "".join(image.partition(",")[2].split() if image.startswith("data:") else image.split())


def head_of(image: str) -> bytes:
    """The first bytes of an image given as base64. Raises ValueError where it is none."""
    digits = digits_of(image)[: HEAD_BYTES // 3 * 4].rstrip("=")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except ValueError:
        raise ValueError(f"is no base64 of an image; {FORMS}") from None


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
