"""A small language of tones: each word is a pair of sine waves, as on a telephone's keys.

What the sandbox hears is what was played, so a lost, doubled or cut piece of sound is a
lost, doubled or wrong word.
"""

import io
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

WORDS = [
    "amber", "basil", "cedar", "delta", "ember", "fjord", "gable", "hazel", "ivory", "jolly", "karma", "lemon",
    "maple", "noble", "ocean", "piano",
]  # fmt: skip
LOW = (697.0, 770.0, 852.0, 941.0)
HIGH = (1209.0, 1336.0, 1477.0, 1633.0)
TONE_S = 0.16
GAP_S = 0.09
STEP_S = 0.02
#: How much of the sound in a step has to be in its two tones.
CLEAR = 0.55
#: Steps that are heard of a whole tone (its ends fall into steps of their own), and of one that is heard at all.
WHOLE_STEPS = 6
HEARD_STEPS = 3

Sound = np.ndarray[tuple[int], np.dtype[np.float32]]


def frequencies(word: str) -> tuple[float, float]:
    place = WORDS.index(word)
    return LOW[place // 4], HIGH[place % 4]


def tone(word: str, rate: int) -> Sound:
    low, high = frequencies(word)
    at = np.arange(round(TONE_S * rate)) / rate
    fade = np.minimum(1.0, np.minimum(at, at[::-1]) / 0.005)
    sound = 0.4 * fade * (np.sin(2 * np.pi * low * at) + np.sin(2 * np.pi * high * at))
    return np.asarray(sound, np.float32)


def quiet(seconds: float, rate: int) -> Sound:
    return np.zeros(round(seconds * rate), np.float32)


def speak(words: list[str], rate: int = 16000) -> Sound:
    """Samples in [-1, 1]: a tone for each word, with a silence after it."""
    return np.concatenate([quiet(GAP_S, rate), *recite(((word, GAP_S) for word in words), rate)])


def recite(words: Iterable[tuple[str, float]], rate: int = 16000) -> Iterator[Sound]:
    """Speech of any length, word by word: each with the seconds of silence after it."""
    tones = {word: tone(word, rate) for word in WORDS}
    for word, pause_s in words:
        yield np.concatenate([tones[word], quiet(pause_s, rate)])


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word of a script, and when its tone begins and ends."""

    word: str
    start_s: float
    end_s: float


def timed(words: Iterable[tuple[str, float]]) -> Iterator[Spoken]:
    """When each word is heard in what `recite` makes of them."""
    at = 0.0
    for word, pause_s in words:
        yield Spoken(word, at, at + TONE_S)
        at += TONE_S + pause_s


def wav(samples: Sound, rate: int = 16000) -> bytes:
    """16-bit mono."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return out.getvalue()


def hear(samples: Sound, rate: int) -> list[str]:
    """The words in a sound; empty where there are none of this language.

    A tone that was cut is heard as the word's beginning, as in "amb-".
    """
    step = int(STEP_S * rate)
    if len(samples) < step:
        return []
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    at = np.arange(step) / rate
    basis = np.exp(-2j * np.pi * np.outer(np.array(LOW + HIGH), at)) * np.hanning(step)
    power = np.abs(frames @ basis.T)
    energy = np.sqrt((frames**2 * np.hanning(step)).sum(axis=1)) + 1e-9
    low, high = power[:, :4], power[:, 4:]
    strength = (low.max(axis=1) + high.max(axis=1)) / (energy * np.sqrt(step))
    loud = energy > 0.1 * energy.max()
    places = np.where(loud & (strength > CLEAR), low.argmax(axis=1) * 4 + high.argmax(axis=1), -1)
    return [
        WORDS[place] if steps >= WHOLE_STEPS else f"{WORDS[place][:3]}-"
        for place, steps in runs(places.tolist())
        if place >= 0 and steps >= HEARD_STEPS
    ]


def runs(places: list[int]) -> list[tuple[int, int]]:
    """Equal neighbours, counted."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and found[-1][0] == place:
            found[-1] = (place, found[-1][1] + 1)
        else:
            found.append((place, 1))
    return found
