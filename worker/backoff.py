"""How long to wait before trying again: exponential, with full jitter."""


def backoff_s(tries: int, *, base_s: float, cap_s: float, chance: float) -> float:
    """Seconds to wait after `tries` failures (from 1): uniform over 0 … min(cap, base·2^(tries-1)).

    `chance` is a random number in [0, 1), passed in so that this stays pure.

    >>> backoff_s(3, base_s=1.0, cap_s=60.0, chance=0.5)
    2.0
    """
    return chance * min(cap_s, base_s * 2.0 ** min(tries - 1, 32))
