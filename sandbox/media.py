"""What the sandbox makes: PNGs that show their prompt, and MP4s that play."""

import hashlib
import io
import textwrap
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
from PIL import Image, ImageDraw


def size_of(size: str) -> tuple[int, int]:
    width, _, height = size.partition("x")
    return (int(width), int(height)) if width.isdigit() and height.isdigit() else (1024, 1024)


def colour(name: str) -> tuple[int, int, int]:
    digest = hashlib.sha256(name.encode()).digest()
    return digest[0] // 2 + 40, digest[1] // 2 + 40, digest[2] // 2 + 40


def draw(name: str, prompt: str, size: str) -> Image.Image:
    width, height = size_of(size)
    picture = Image.new("RGB", (width, height), colour(name))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((width // 16, height // 16, width - width // 16, height - height // 16), outline="white", width=4)
    shown = prompt.encode(errors="replace").decode()  # half of a surrogate pair cannot be drawn
    lines = "\n".join(textwrap.wrap(shown, 36)[:12])
    pen.multiline_text((width // 10, height // 8), lines, fill="white", font_size=max(14, width // 24))
    pen.text((width // 10, height - height // 8), name, fill="white", font_size=max(10, width // 48))
    return picture


@lru_cache(maxsize=64)
def png(name: str, prompt: str, size: str) -> bytes:
    """An image of the asked size; no two names give the same."""
    out = io.BytesIO()
    draw(name, prompt, size).quantize(32).save(out, "PNG", compress_level=1)
    return out.getvalue()


@lru_cache(maxsize=16)
def pdf(name: str, prompt: str, size: str) -> bytes:
    """The image as a page."""
    out = io.BytesIO()
    draw(name, prompt, size).save(out, "PDF")
    return out.getvalue()


@lru_cache(maxsize=64)
def mp4(name: str, prompt: str, size: str) -> bytes:
    """A clip of one second in the asked shape, a quarter of its size: a bar runs across its prompt."""
    width, height = (max(64, side // 4 // 2 * 2) for side in size_of(size))
    still = np.asarray(draw(name, prompt, f"{width}x{height}"))
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "crf": "32"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(10):
            picture = still.copy()
            picture[-12:, : width * (number + 1) // 10] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()
