"""Any container and codec as sound, block by block: memory does not grow with the recording."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.stream import Discard

from worker.audio.edits import plays_whole
from worker.audio.sound import RATE, Samples, seconds, silence

#: Samples in a block, but for the last ones.
BLOCK = RATE
#: Seconds that the timestamps may be ahead of the sound before that counts as a hole.
HOLE_S = 0.2
#: Seconds by which a header may promise more than there is: encoders pad, and round.
SHORT_S = 0.5
#: Seconds that coders add at the ends, at most.
PADDING_S = 0.15


class UnreadableAudioError(Exception):
    """There is no sound to be had from this file; the message says why, as in "is empty"."""


class Recording(AbstractContextManager["Recording"]):
    """A file being decoded once, from its start.

    Where the file is damaged its sound is replaced by silence as far as its timestamps tell
    how much is missing, so that what follows keeps its times; `problems` then says so.

    Raises UnreadableAudioError where it has no audio that can be decoded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        #: Samples given out so far, fillings included.
        self.position = 0
        self._heard = 0
        self._damaged = 0
        self._missing = 0
        self._broke: str | None = None
        check_file(path)
        self._container = opened(path)
        stream = self._container.streams.best("audio")
        if not isinstance(stream, av.AudioStream):
            self._container.close()
            raise UnreadableAudioError("has no audio track")
        self._stream = stream
        #: By PyAV's name for it, as in "mp3" or "mov,mp4,m4a,3gp,3g2,mj2".
        self.container: str = self._container.format.name
        for other in self._container.streams:
            if other is not stream:
                other.discard = Discard.all
        self._ends_s = None if self._container.duration is None else self._container.duration / av.time_base
        # An audio track may begin after the video: what is told of times is told of the whole.
        self._origin_s = (self._container.start_time or 0) / av.time_base
        #: Seconds from the recording's start to the end of its sound, as the headers have it.
        self.declared_s = self._declared_s()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def blocks(self) -> Iterator[Samples]:
        """The sound in order. Raises UnreadableAudioError at the end if there was none."""
        resampler = fresh_resampler()
        setting: tuple[str, str, int] | None = None
        told_s = 0.0
        for frame in self._frames():
            if frame.time is not None:
                hole_s = frame.time - self._origin_s - told_s
                if self._is_hole(hole_s, told_s):
                    yield from self._given(resampler.resample(None))
                    yield from self._filled(round(hole_s * RATE), start=told_s == 0)
                    told_s += hole_s
                    resampler = fresh_resampler()
            if setting not in (None, setting_of(frame)):
                yield from self._given(resampler.resample(None))
                resampler = fresh_resampler()
            setting = setting_of(frame)
            told_s += frame.samples / frame.sample_rate
            self._heard += frame.samples
            frame.pts = None  # the resampler counts for itself
            yield from self._given(resampler.resample(frame))
        if setting is None:
            raise UnreadableAudioError(f"has no sound in it{': ' + self._broke if self._broke else ''}")
        yield from self._given(resampler.resample(None))

    def length_s(self, *, at_most_s: float) -> float:
        """The length by what the file's packets say, or a little more than `at_most_s`.

        A header may lie about it, the packets that are there do not; to count them takes a tenth of the time of
        decoding them. Only as many are decoded as it takes to be sure that there is sound. Raises UnreadableAudioError.
        """
        heard = False
        told = 0
        unit_s = float(self._stream.time_base or 0)
        try:
            for packet in self._container.demux(self._stream):
                heard = heard or self._sounds(packet)
                told += packet.duration or 0
                if heard and told * unit_s > at_most_s:
                    break
        except (av.FFmpegError, OSError) as error:
            self._broke = reason(error)
        if not heard:
            raise UnreadableAudioError(f"has no sound in it{': ' + self._broke if self._broke else ''}")
        # Coders pad: what a header tells to be a little less is right.
        told_s, declared_s = told * unit_s, self.declared_s
        return declared_s if declared_s is not None and 0 <= told_s - declared_s <= PADDING_S else told_s

    def is_whole(self, length_s: float) -> bool:
        """Whether the file, whose packets were counted, was read to its end and is as long as it says to be."""
        return not (self._broke or self._is_short(length_s) or is_cut_wav(self.path))

    def _sounds(self, packet: "av.Packet[av.AudioStream]") -> bool:
        try:
            return any(isinstance(frame, av.AudioFrame) and frame.samples for frame in packet.decode())
        except av.FFmpegError:
            self._damaged += 1
            return False

    def problems(self) -> list[str]:
        """What is wrong with the file, once it was read to its end; in words that follow its name."""
        found = []
        if self._damaged:
            found.append(f"is damaged: {self._damaged} packets could not be decoded")
        if self._missing:
            found.append(f"has holes: {seconds(self._missing):.1f} s are missing and were taken as silence")
        if self._broke:
            found.append(f"breaks off at {seconds(self.position):.1f} s: {self._broke}")
        elif self._is_short(seconds(self.position)):
            found.append(f"ends at {seconds(self.position):.1f} s, though it says to be {self.declared_s:.1f} s long")
        elif is_cut_wav(self.path):
            found.append(f"ends at {seconds(self.position):.1f} s, before its own end")
        return found

    def _declared_s(self) -> float | None:
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            start_s = float((stream.start_time or 0) * stream.time_base) - self._origin_s
            return start_s + float(stream.duration * stream.time_base)
        return self._ends_s if len(self._container.streams) == 1 else None

    def _frames(self) -> Iterator[av.AudioFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, OSError) as error:
                self._broke = reason(error)
                return
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self._damaged += 1
                continue
            for frame in frames:
                if isinstance(frame, av.AudioFrame) and frame.samples and frame.sample_rate:
                    yield frame

    def _is_hole(self, hole_s: float, told_s: float) -> bool:
        """Whether the sound has a hole here; a timestamp beyond the file's end is no word to go by."""
        return hole_s > HOLE_S and self._ends_s is not None and told_s + hole_s <= self._ends_s

    def _filled(self, samples: int, *, start: bool) -> Iterator[Samples]:
        if not start:
            self._missing += samples
        while samples:
            block = silence(min(samples, BLOCK))
            samples -= len(block)
            self.position += len(block)
            yield block

    def _given(self, frames: list[av.AudioFrame]) -> Iterator[Samples]:
        for frame in frames:
            block = frame.to_ndarray().reshape(-1).astype(np.int16, copy=False)
            if len(block):
                self.position += len(block)
                yield block

    def _is_short(self, length_s: float) -> bool:
        if self.declared_s is None or is_guessed(self.container, self.path):
            return False
        return length_s < self.declared_s - SHORT_S


def check_file(path: Path) -> None:
    """Raise UnreadableAudioError for what needs no decoder to refuse."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UnreadableAudioError(f"cannot be read: {error.strerror}") from None
    if not path.is_file():
        raise UnreadableAudioError("is no file")
    if not size:
        raise UnreadableAudioError("is empty")


def opened(path: Path) -> InputContainer:
    # Ten hours of an mp4 take 60 MB less where its edits need not be heeded.
    options = {"advanced_editlist": "0"} if plays_whole(path) else {}
    try:
        return av.open(str(path), "r", options=options, metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise UnreadableAudioError(f"is no readable audio: {reason(error)}; give a recording that plays") from None


def fresh_resampler() -> av.AudioResampler:
    return av.AudioResampler(format="s16", layout="mono", rate=RATE, frame_size=BLOCK)


def setting_of(frame: av.AudioFrame) -> tuple[str, str, int]:
    """What a resampler cannot bear to change."""
    return frame.format.name, frame.layout.name, frame.sample_rate


def is_guessed(container: str, path: Path) -> bool:
    """Whether the length is made of the bit rate, for want of a header that tells it."""
    if container == "mp3":
        with path.open("rb") as file:
            tag = file.read(10)
            # The tag's length is in seven bits a byte.
            file.seek(
                sum(byte << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True)) + 10
                if tag[:3] == b"ID3"
                else 0
            )
            first = file.read(256)
        return b"Xing" not in first and b"Info" not in first
    return container == "aac"


def is_cut_wav(path: Path) -> bool:
    """Whether a wav says to be larger than it is; FFmpeg passes over that."""
    with path.open("rb") as file:
        head = file.read(12)
    told = int.from_bytes(head[4:8], "little")
    unknown = told in (0, 0xFFFFFFFF)  # written to a pipe
    return head[:4] == b"RIFF" and head[8:] == b"WAVE" and not unknown and told + 8 > path.stat().st_size + 1


def reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
