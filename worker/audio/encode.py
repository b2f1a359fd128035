"""Sound as the files that the API takes."""

import io
import wave

import av

from worker.audio.sound import RATE, SAMPLE_BYTES, Samples

#: Bits a second for one voice at 16 kHz; above the point where recognisers begin to mishear.
MP3_BIT_RATE = 48000
#: The coder's least search for the best bits: half the time of its own choice.
MP3_OPTIONS = {"compression_level": "9"}


def to_wav(samples: Samples) -> bytes:
    """32 kB a second; nothing is lost, and there is nothing to wait for."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2", copy=False).tobytes())
    return out.getvalue()


def to_mp3(samples: Samples, bit_rate: int = MP3_BIT_RATE) -> bytes:
    """A fifth of a wav's size, for slow lines. A decoder may add up to a tenth of a second."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=RATE, options=MP3_OPTIONS, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = bit_rate
        coder = stream.codec_context
        coder.open()
        # It cuts the sound into the coder's frames.
        framer = av.AudioResampler(coder.format, coder.layout, RATE, frame_size=coder.frame_size)
        whole = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        whole.rate = RATE
        for frame in [*framer.resample(whole), *framer.resample(None)]:
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
