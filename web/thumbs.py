"""Small pictures of outputs, made once, kept in the store of outputs beside them."""

import asyncio
import io
from collections.abc import Callable

from PIL import Image, UnidentifiedImageError

from models.output import thumb_of
from worker.storage import Storage

#: Pixels of the longer side; as a WebP it is some 8 kB.
SIDE = 320
#: Larger files are no images that we made.
MOST_BYTES = 64 * 1024**2


class NoPictureError(Exception):
    """What is stored cannot be read as a picture."""


class Thumbs:
    """Makes few at once: a wall of ten thousand asks for as many as come into view."""

    def __init__(self, storage: Storage, *, at_once: int = 2) -> None:
        self._storage = storage
        self._slots = asyncio.Semaphore(at_once)
        self._under_way: dict[str, asyncio.Task[bytes]] = {}

    async def of(self, location: str, sha256: str, *, size: int, video: bool) -> bytes:
        """A WebP. `size`: bytes. Raises NoPictureError, FileNotFoundError where the output's file is gone."""
        path = thumb_of(sha256)
        try:
            return await self._storage.read(path)
        except FileNotFoundError:
            if size > MOST_BYTES:
                raise NoPictureError("too large") from None
        task = self._under_way.get(path)
        if task is None:
            task = asyncio.create_task(self._make(path, location, first_frame if video else picture))
            self._under_way[path] = task
            task.add_done_callback(lambda _: self._under_way.pop(path, None))
        return await asyncio.shield(task)

    async def _make(self, path: str, location: str, read: Callable[[bytes], Image.Image]) -> bytes:
        async with self._slots:
            data = await self._storage.read(location)
            made = await asyncio.to_thread(smaller, data, read)
            await self._storage.put_bytes(path, made)
            return made


def smaller(data: bytes, read: Callable[[bytes], Image.Image]) -> bytes:
    """Raises NoPictureError."""
    try:
        image = read(data)
        image.thumbnail((SIDE, SIDE))
        out = io.BytesIO()
        image.convert("RGB").save(out, "WEBP", quality=78, method=3)
    except (UnidentifiedImageError, OSError, ValueError, StopIteration, Image.DecompressionBombError) as error:
        raise NoPictureError(str(error)) from None
    return out.getvalue()


def picture(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (SIDE * 2, SIDE * 2))
    return image


def first_frame(data: bytes) -> Image.Image:
    """Of a video. Raises ValueError where it has none."""
    import av  # noqa: PLC0415 - FFmpeg's libraries, for videos without a cover alone

    try:
        with av.open(io.BytesIO(data), "r") as container:
            return Image.fromarray(next(container.decode(video=0)).to_ndarray(format="rgb24"))
    except av.FFmpegError as error:
        raise ValueError(str(error)) from None
