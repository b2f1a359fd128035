"""Makes the spoken examples anew: espeak-ng's voice, coded as mp3. Needs `scripts/setup --dev`."""

import ctypes
from fractions import Fraction
from pathlib import Path

import av
import espeakng_loader
import numpy as np

SENTENCES = {
    "harbour": "The harbour opens at six, and the first boat leaves before the fog has lifted.",
    "recipe": "Warm the milk slowly, add a pinch of salt, and stir until the sugar is gone.",
    "station": "The train on platform four is late by ten minutes. Please mind the gap.",
    "garden": "In March we plant the peas along the southern wall, where the snow melts first.",
    "weather": "Tonight it will rain in the valley, with some wind from the west towards morning.",
    "library": "The library keeps its maps on the second floor, behind the reading room.",
}
AUDIO_OUTPUT_SYNCHRONOUS = 2
CHARS_UTF8 = 1
MP3_FRAME = 1152


def speak(text: str) -> "tuple[np.ndarray[tuple[int], np.dtype[np.int16]], int]":
    """Samples and their rate."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    parts: list[bytes] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def collect(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int) -> int:
        if samples and count:
            parts.append(ctypes.string_at(samples, count * 2))
        return 0

    library.espeak_SetSynthCallback(collect)
    library.espeak_SetVoiceByName(b"en")
    spoken = text.encode()
    library.espeak_Synth(spoken, len(spoken) + 1, 0, 1, 0, CHARS_UTF8, None, None)
    library.espeak_Synchronize()
    library.espeak_Terminate()
    return np.frombuffer(b"".join(parts), np.int16), rate


def write_mp3(path: Path, samples: "np.ndarray[tuple[int], np.dtype[np.int16]]", rate: int) -> None:
    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate)
        stream.bit_rate = 32000
        stream.layout = "mono"
        for start in range(0, len(samples), MP3_FRAME):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + MP3_FRAME], format="s16p", layout="mono")
            frame.rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    folder = Path(__file__).parent / "audio"
    folder.mkdir(exist_ok=True)
    for name, sentence in SENTENCES.items():
        write_mp3(folder / f"{name}.mp3", *speak(sentence))
    (folder / "audio.csv").write_text("key,file\n" + "".join(f"{name},{name}.mp3\n" for name in SENTENCES))
