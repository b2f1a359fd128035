"""Signatures are those of Standard Webhooks: its own library takes them."""

import base64
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from worker.webhooks.signature import headers, secret_of, sign

BODY = '{"type":"batch.finished","data":{"batch":"Füchse"}}'.encode()


def test_the_published_example() -> None:
    """From the specification's own tests."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    found = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_library_of_standard_webhooks_takes_it_and_no_other() -> None:
    secret = secret_of("key", "https://hooks.example")
    made = headers([secret], "msg_1", int(time.time()), BODY)
    assert Webhook(secret).verify(BODY, dict(made))["type"] == "batch.finished"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", dict(made))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of("key", "https://other.example")).verify(BODY, dict(made))


def test_while_a_key_is_replaced_both_secrets_do() -> None:
    old, new = secret_of("old", "https://hooks.example"), secret_of("new", "https://hooks.example")
    made = headers([new, old], "msg_1", int(time.time()), BODY)
    for secret in (old, new):
        Webhook(secret).verify(BODY, dict(made))


def test_secrets_are_as_long_as_the_specification_asks() -> None:
    assert 24 <= len(base64.b64decode(secret_of("key", "https://hooks.example").removeprefix("whsec_"))) <= 64
