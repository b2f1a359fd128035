"""Signatures as Standard Webhooks has them: https://github.com/standard-webhooks/standard-webhooks."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"


def secret_of(key: str, host: str) -> str:
    """The secret of a receiver: made from our key, so that none can sign for another.

    host: scheme, name and port, as in `deliveries.host`.
    """
    return PREFIX + base64.b64encode(hmac.digest(key.encode(), host.encode(), hashlib.sha256)).decode()


def headers(secrets: Sequence[str], message_id: str, sent_at: int, body: bytes) -> Mapping[str, str]:
    """The headers of a message. sent_at: seconds since 1970. With several secrets any of them does."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(sent_at),
        "webhook-signature": " ".join(sign(secret, message_id, sent_at, body) for secret in secrets),
    }


def sign(secret: str, message_id: str, sent_at: int, body: bytes) -> str:
    signed = f"{message_id}.{sent_at}.".encode() + body
    digest = hmac.digest(base64.b64decode(secret.removeprefix(PREFIX)), signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"
