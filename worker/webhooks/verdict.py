"""What becomes of a message after a try. Pure: no clock, no chance, no I/O."""

from dataclasses import dataclass

from worker.backoff import backoff_s

#: The receiver says that it will never be there again.
GONE = 410


@dataclass(frozen=True, slots=True)
class Rules:
    """Seconds: how soon a message is tried again at first and at most, and when it is given up."""

    first_s: float = 5.0
    most_s: float = 3600.0
    give_up_s: float = 3 * 86400.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a try came to. `status`: None where no answer came, and `error` says why."""

    status: int | None = None
    error: str | None = None
    #: What the receiver asked for, in seconds.
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`after_s`: seconds until the next try, of a message that stays pending."""

    state: str
    after_s: float = 0.0
    error: str | None = None


def judge(answer: Answer, *, tries: int, age_s: float, rules: Rules, chance: float) -> Verdict:
    """Delivered, tried again, or given up. `tries`: this one included; `age_s`: since it was first due."""
    if answer.status is not None and 200 <= answer.status < 300:
        return Verdict("delivered")
    error = answer.error or in_words(answer.status)
    if answer.status == GONE:
        return Verdict("failed", error=error)
    wait_s = backoff_s(tries, base_s=rules.first_s, cap_s=rules.most_s, chance=chance)
    wait_s = max(wait_s, min(answer.retry_after_s or 0.0, rules.most_s))
    if age_s + wait_s > rules.give_up_s:
        return Verdict("failed", error=error)
    return Verdict("pending", wait_s, error)


def in_words(status: int | None) -> str:
    if status is not None and 300 <= status < 400:
        return f"HTTP {status}: it redirects; give the URL that it redirects to"
    return "HTTP 410: it is gone for good" if status == GONE else f"HTTP {status}"
