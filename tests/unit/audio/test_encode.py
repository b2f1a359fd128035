import io
from collections.abc import Callable

import av
import numpy as np
import pytest

from sandbox.checks import listen
from sandbox.tones import speak
from worker.audio.encode import to_mp3, to_wav
from worker.audio.plan import rules_for
from worker.audio.sound import RATE, Samples

WORDS = ["amber", "piano", "delta", "delta", "ocean"]
LIMIT_S, LIMIT_BYTES = 30.0, 25 * 1024**2


def sound(words: list[str]) -> Samples:
    return (speak(words) * 32767).astype(np.int16)


@pytest.mark.parametrize("encode", [to_wav, to_mp3])
def test_the_api_hears_what_was_said(encode: Callable[[Samples], bytes]) -> None:
    assert listen(encode(sound(WORDS))) == (" ".join(WORDS), None)


@pytest.mark.parametrize("encode", [to_wav, to_mp3])
def test_the_longest_piece_is_within_the_limits(encode: Callable[[Samples], bytes]) -> None:
    longest = rules_for(max_s=LIMIT_S, max_bytes=LIMIT_BYTES).longest
    data = encode(np.resize(sound(WORDS), longest))
    assert len(data) < LIMIT_BYTES
    with av.open(io.BytesIO(data), "r") as container:
        samples = sum(int(frame.samples) for frame in container.decode(audio=0))
    assert longest <= samples <= LIMIT_S * RATE


def test_the_same_sound_gives_the_same_bytes() -> None:
    assert to_mp3(sound(WORDS)) == to_mp3(sound(WORDS))
