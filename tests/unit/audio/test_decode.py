import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sandbox.recordings import CODECS, record
from sandbox.tones import WORDS, Sound, hear, recite, speak, wav
from worker.audio.decode import Recording, UnreadableAudioError
from worker.audio.edits import plays_whole
from worker.audio.sound import RATE, Samples

choose = random.Random(4)
SCRIPT = [(choose.choice(WORDS), 0.09) for _ in range(40)]
TRUTH = [word for word, _ in SCRIPT]
LENGTH_S = 10.0


def decoded(path: Path) -> tuple[Samples, list[str]]:
    with Recording(path) as recording:
        sound = np.concatenate(list(recording.blocks()))
        assert recording.position == len(sound)
        return sound, recording.problems()


def heard(sound: Samples) -> list[str]:
    return hear(np.asarray(sound / 32768, np.float32), RATE)


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize(("layout", "rate"), [("mono", 16000), ("stereo", 44100)])
def test_every_container_is_read_whole(tmp_path: Path, suffix: str, layout: str, rate: int) -> None:
    path = tmp_path / f"a{suffix}"
    record(path, recite(SCRIPT), layout=layout, as_rate=rate)
    sound, problems = decoded(path)
    assert heard(sound) == TRUTH
    assert len(sound) / RATE == pytest.approx(LENGTH_S, abs=0.2)
    assert problems == []


@pytest.mark.parametrize(("suffix", "layout", "rate"), [(".mp4", "5.1", 48000), (".wav", "mono", 8000)])
def test_odd_rates_and_many_channels(tmp_path: Path, suffix: str, layout: str, rate: int) -> None:
    record(tmp_path / f"a{suffix}", recite(SCRIPT), layout=layout, as_rate=rate)
    assert heard(decoded(tmp_path / f"a{suffix}")[0]) == TRUTH


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".flac", ".mkv", ".webm"])
def test_what_was_cut_off_is_read_as_far_as_it_goes_and_told(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    record(path, recite(SCRIPT), as_rate=16000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    sound, problems = decoded(path)
    words = heard(sound)
    assert TRUTH[:20] == words[:20]
    assert [each for each in problems if each.startswith(("ends at", "breaks off at"))]


def test_damage_in_the_middle_keeps_the_times_of_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    record(path, recite(SCRIPT * 3))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8000] = bytes(8000)
    path.write_bytes(data)
    sound, problems = decoded(path)
    assert len(sound) / RATE == pytest.approx(3 * LENGTH_S, abs=0.2)
    assert heard(sound)[-30:] == TRUTH[-30:]  # the container goes on at its next cluster
    assert "has holes" in " ".join(problems)


def test_a_track_that_begins_after_the_video_keeps_its_times(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with_video(path, speak(["amber", "basil"]), after_s=2)
    assert not plays_whole(path)
    sound, problems = decoded(path)
    assert not sound[: round(1.9 * RATE)].any()
    assert heard(sound[2 * RATE :]) == ["amber", "basil"]
    assert problems == []


def test_what_was_trimmed_away_is_not_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    record(path, recite(SCRIPT))
    assert plays_whole(path)
    path.write_bytes(trimmed(path.read_bytes(), start_s=2.5, length_s=5.0))
    assert not plays_whole(path)
    sound, problems = decoded(path)
    assert heard(sound) == TRUTH[10:30]
    assert problems == []


def trimmed(data: bytes, *, start_s: float, length_s: float) -> bytes:
    """An mp4 as an editor on a phone leaves it: all the sound is in it, and a list says what is played."""
    out = bytearray(data)
    milliseconds = round(length_s * 1000).to_bytes(4, "big")
    movie, track, edit = (data.index(name) for name in (b"mvhd", b"tkhd", b"elst"))
    out[movie + 20 : movie + 24] = milliseconds
    out[track + 24 : track + 28] = milliseconds
    played_from = round(start_s * RATE) + int.from_bytes(data[edit + 16 : edit + 20], "big")
    out[edit + 12 : edit + 20] = milliseconds + played_from.to_bytes(4, "big")
    return bytes(out)


def with_video(path: Path, sound: Sound, *, after_s: int) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        picture = container.add_stream("libx264", rate=5)
        picture.width = picture.height = 64
        voice = container.add_stream("aac", rate=RATE, layout="mono")
        assert isinstance(voice, av.AudioStream)
        for number in range(20):
            still = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            still.pts, still.time_base = number, Fraction(1, 5)
            container.mux(picture.encode(still))
        for start in range(0, len(sound), 1024):
            frame = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
            frame.rate, frame.pts, frame.time_base = RATE, start + after_s * RATE, Fraction(1, RATE)
            container.mux(voice.encode(frame))
        container.mux(picture.encode(None))
        container.mux(voice.encode(None))


BAD = {
    "empty": (b"", "is empty"),
    "text": (b"this is text" * 100, "is no readable audio: Invalid data"),
    "nothing in it": (wav(np.zeros(0, np.float32)), "has no sound in it"),
    "a header alone": (wav(speak(["amber"]))[:40], "is no readable audio|has no sound in it"),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_what_holds_no_sound_says_why(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(UnreadableAudioError, match=message):
        decoded(path)


def test_absent_files_folders_and_pictures(tmp_path: Path) -> None:
    with pytest.raises(UnreadableAudioError, match="cannot be read: No such file"):
        decoded(tmp_path / "none.mp3")
    with pytest.raises(UnreadableAudioError, match="is no file"):
        decoded(tmp_path)
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width = stream.height = 64
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(UnreadableAudioError, match="has no audio track"):
        decoded(tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize(("layout", "rate"), [("mono", 16000), ("stereo", 44100)])
def test_the_length_is_known_without_decoding_all(tmp_path: Path, suffix: str, layout: str, rate: int) -> None:
    path = tmp_path / f"a{suffix}"
    record(path, recite(SCRIPT), layout=layout, as_rate=rate)
    assert length(path) == pytest.approx(len(decoded(path)[0]) / RATE, abs=0.2)


@pytest.mark.parametrize("suffix", [".wav", ".mp3"])
def test_the_length_is_what_is_there_whatever_the_header_says(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    record(path, recite(SCRIPT), as_rate=16000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert length(path) == pytest.approx(LENGTH_S / 2, abs=0.2)


def test_no_more_is_counted_than_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    record(path, recite(SCRIPT * 3))
    assert 5 <= length(path, at_most_s=5.0) < 6


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_what_has_no_sound_has_no_length(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(UnreadableAudioError, match=message):
        length(path)


def length(path: Path, *, at_most_s: float = 120.0) -> float:
    with Recording(path) as recording:
        return recording.length_s(at_most_s=at_most_s)
