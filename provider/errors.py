"""The client's errors, sorted by what is known of the request.

ProviderError
├── NotSent      nothing left this machine: safe to try again
├── Rejected     the API said no: nothing was accepted
└── AnswerLost   sent, and no readable answer: it may be accepted, and billed
"""

from provider.formats import Seen
from provider.rulings import Action, Ruling

__all__ = ["Action", "AnswerLost", "NotSent", "ProviderError", "Rejected", "Ruling"]


class ProviderError(Exception):
    """A call without a success. `message` and `excerpt` are redacted and capped.

    `raw`: the whole body, without our token, where the status spoke of a success: it may be what was paid for.
    """

    sent = True

    def __init__(
        self,
        message: str,
        *,
        ruling: Ruling,
        http_status: int | None = None,
        code: str | None = None,
        excerpt: str | None = None,
        raw: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.ruling = ruling
        self.http_status = http_status
        self.code = code
        self.excerpt = excerpt
        self.raw = raw
        #: What the URL formats' rule wants to know.
        self.seen: Seen | None = None

    def __str__(self) -> str:
        marks = ", ".join(
            f"{name} {value}" for name, value in (("HTTP", self.http_status), ("code", self.code)) if value
        )
        return f"{self.message} ({marks})" if marks else self.message


class NotSent(ProviderError):  # noqa: N818 - it says what happened
    sent = False


class Rejected(ProviderError):  # noqa: N818 - as above
    pass


class AnswerLost(ProviderError):  # noqa: N818 - as above
    def __init__(self, message: str, *, ruling: Ruling = Ruling(Action.UNKNOWN), **known: object) -> None:  # noqa: B008 - frozen
        super().__init__(message, ruling=ruling, **known)  # type: ignore[arg-type]
