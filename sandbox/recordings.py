"""Writes sound of any length as a file, in the containers and codecs that recordings come in."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from sandbox.tones import Sound

#: Suffix → codec.
CODECS = {
    ".wav": "pcm_s16le",
    ".mp3": "libmp3lame",
    ".m4a": "aac",
    ".aac": "aac",
    ".mp4": "aac",
    ".mkv": "aac",
    ".ogg": "libopus",
    ".opus": "libopus",
    ".webm": "libopus",
    ".flac": "flac",
}
#: PyAV finds no muxer by these suffixes, or another one.
FORMATS = {".m4a": "ipod", ".aac": "adts", ".mkv": "matroska"}
BLOCK = 16384


def record(
    path: Path,
    sound: Iterable[Sound],
    *,
    rate: int = 16000,
    as_rate: int | None = None,
    layout: str = "mono",
    bit_rate: int | None = None,
) -> None:
    """Write a file whose suffix says what it is. `rate`: of the sound; `as_rate`: of the file, if another."""
    with av.open(str(path), "w", format=FORMATS.get(path.suffix)) as container:
        codec = CODECS[path.suffix]
        stream = container.add_stream(codec, rate=48000 if codec == "libopus" else as_rate or rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        if bit_rate:
            stream.bit_rate = bit_rate
        coder = stream.codec_context
        coder.open()
        resampler = av.AudioResampler(coder.format, coder.layout, coder.rate, frame_size=coder.frame_size or BLOCK)
        for block in blocks(sound):
            frame = av.AudioFrame.from_ndarray(block[None], format="flt", layout="mono")
            frame.rate, frame.time_base = rate, Fraction(1, rate)
            for each in resampler.resample(frame):
                container.mux(stream.encode(each))
        for each in resampler.resample(None):
            container.mux(stream.encode(each))
        container.mux(stream.encode(None))


def blocks(sound: Iterable[Sound]) -> Iterator[Sound]:
    """The same sound in pieces large enough to be quick."""
    gathered: list[Sound] = []
    for part in sound:
        gathered.append(part)
        if sum(map(len, gathered)) >= BLOCK:
            yield np.concatenate(gathered)
            gathered = []
    if gathered:
        yield np.concatenate(gathered)
