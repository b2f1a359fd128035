"""What sound is here: one channel of 16-bit samples, 16,000 a second, as speech recognisers take it."""

import numpy as np

RATE = 16000
SAMPLE_BYTES = 2

#: Shape (samples,).
Samples = np.ndarray[tuple[int], np.dtype[np.int16]]


def seconds(samples: int) -> float:
    return samples / RATE


def silence(samples: int) -> Samples:
    return np.zeros(samples, np.int16)
