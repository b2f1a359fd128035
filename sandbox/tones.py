"""A small language of tones: each word is a pair of sine waves, as on a telephone's keys.

What the sandbox hears is what was played, so a lost, doubled or cut piece of sound is a
lost, doubled or wrong word.
"""

import io
import wave

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


def frequencies(word: str) -> tuple[float, float]:
    place = WORDS.index(word)
    return LOW[place // 4], HIGH[place % 4]


def speak(words: list[str], rate: int = 16000) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Samples in [-1, 1]: a tone for each word, with a silence after it."""
    at = np.arange(int(TONE_S * rate)) / rate
    fade = np.minimum(1.0, np.minimum(at, at[::-1]) / 0.005)
    gap = np.zeros(int(GAP_S * rate))
    parts = [gap]
    for word in words:
        low, high = frequencies(word)
        parts += [0.4 * fade * (np.sin(2 * np.pi * low * at) + np.sin(2 * np.pi * high * at)), gap]
    return np.concatenate(parts).astype(np.float32)


def wav(samples: "np.ndarray[tuple[int], np.dtype[np.float32]]", rate: int = 16000) -> bytes:
    """16-bit mono."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return out.getvalue()


def hear(samples: "np.ndarray[tuple[int], np.dtype[np.float32]]", rate: int) -> list[str]:
    """The words in a sound; empty where there are none of this language."""
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
    return [WORDS[place] for place, steps in runs(places.tolist()) if place >= 0 and steps >= 3]


def runs(places: list[int]) -> list[tuple[int, int]]:
    """Equal neighbours, counted."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and found[-1][0] == place:
            found[-1] = (place, found[-1][1] + 1)
        else:
            found.append((place, 1))
    return found
