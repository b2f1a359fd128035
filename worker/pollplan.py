"""When to ask again about work that the provider has: often at first, then less."""


def next_poll_s(polls: int, *, first_s: float, max_s: float, chance: float) -> float:
    """Seconds until the next poll after `polls` of them: grows by a third each time up to `max_s`.

    `chance`, a random number in [0, 1), spreads polls by ±10 % so that they do not bunch.

    >>> next_poll_s(0, first_s=5.0, max_s=30.0, chance=0.5)
    5.0
    """
    return min(max_s, first_s * 1.33 ** min(polls, 64)) * (0.9 + 0.2 * chance)
