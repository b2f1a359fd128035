"""Messages to webhooks: sent to a real receiver, at least once, and never where they must not go."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text
from standardwebhooks.webhooks import Webhook

from models import outbox
from tests.support.receiver import Receiver, receiving
from worker.addresses import host_of, networks
from worker.upkeep.deliver import EACH, Deliverer
from worker.webhooks import manage
from worker.webhooks.post import Post
from worker.webhooks.verdict import Rules

LOCAL = "127.0.0.0/8"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def deliverer(engine: Engine, *, allow: str = LOCAL, timeout_s: float = 20, first_s: float = 0.01) -> Deliverer:
    return Deliverer(
        engine=engine,
        make_post=lambda: Post(allowed=networks(allow), timeout_s=timeout_s),
        rules=Rules(first_s=first_s, most_s=first_s),
        timeout_s=timeout_s,
    )


def told(engine: Engine, url: str, count: int = 1, event: str = "batch.finished") -> None:
    with engine.begin() as conn:
        for number in range(count):
            outbox.tell(conn, event, f'{{"number": {number}}}', batch=1, own=url)


def until(engine: Engine, made: Deliverer, true: Callable[[], object], *, timeout_s: float = 30) -> None:
    """Deliver, a tick as in a worker, until something is true."""

    async def work() -> None:
        async with asyncio.timeout(timeout_s):
            while not await asyncio.to_thread(true):
                await made.deliver()
                await asyncio.sleep(0.02)
        await made.close()

    asyncio.run(work())


def rows(engine: Engine) -> list[Any]:
    with engine.connect() as conn:
        return list(conn.execute(text("select * from deliveries order by id")))


def states(engine: Engine) -> set[str]:
    return {row.state for row in rows(engine)}


def test_a_message_arrives_signed(engine: Engine, receiver: Receiver) -> None:
    told(engine, receiver.url)
    until(engine, deliverer(engine), lambda: states(engine) == {"delivered"})
    [got] = receiver.got
    [row] = rows(engine)
    with engine.begin() as conn:
        secret = manage.secret_for(conn, receiver.url)
    message = Webhook(secret).verify(got.body, got.headers)
    assert message == {"type": "batch.finished", "timestamp": message["timestamp"], "data": {"number": 0}}
    assert got.headers["webhook-id"] == row.message_id
    assert (got.path, got.headers["content-type"]) == ("/hook", "application/json")
    assert (row.tries, row.http_status, row.error) == (1, 204, None)


def test_what_fails_is_sent_again_as_the_same_message(engine: Engine, receiver: Receiver) -> None:
    receiver.answers += [500, 404, 302]
    told(engine, receiver.url)
    until(engine, deliverer(engine), lambda: states(engine) == {"delivered"})
    assert len(receiver.got) == 4
    assert len({each.headers["webhook-id"] for each in receiver.got}) == 1
    assert len({each.body for each in receiver.got}) == 1


def test_a_redirect_is_not_followed(engine: Engine, receiver: Receiver, other: Receiver) -> None:
    receiver.answers += [302]
    receiver.headers["Location"] = other.url
    told(engine, receiver.url)
    until(engine, deliverer(engine), lambda: states(engine) == {"delivered"})
    assert (len(receiver.got), other.got) == (2, [])


def test_one_that_gives_no_answer_keeps_nobody_else_waiting(
    engine: Engine, receiver: Receiver, other: Receiver
) -> None:
    receiver.answering.clear()
    told(engine, receiver.url, 50)
    told(engine, other.url, 50)
    until(engine, deliverer(engine), lambda: len(other.got) == 50)
    assert len(receiver.got) == EACH
    assert [row.state for row in rows(engine)] == ["pending"] * 50 + ["delivered"] * 50


def test_an_answer_that_does_not_come_in_time_is_one_try(engine: Engine, receiver: Receiver) -> None:
    receiver.answering.clear()
    told(engine, receiver.url)
    until(engine, deliverer(engine, timeout_s=0.2, first_s=1000), lambda: rows(engine)[0].error)
    [row] = rows(engine)
    assert (row.state, row.tries, row.error) == ("pending", 1, "no answer in time")


def test_it_is_given_up_after_three_days(engine: Engine, receiver: Receiver) -> None:
    receiver.answers += [500]
    told(engine, receiver.url)
    with engine.begin() as conn:
        conn.execute(text("update deliveries set since = now() - interval '3 days'"))
    until(engine, deliverer(engine), lambda: states(engine) == {"failed"})
    assert rows(engine)[0].error == "HTTP 500"


def test_what_was_given_up_can_be_sent_once_more(engine: Engine, receiver: Receiver) -> None:
    receiver.answers += [410]
    told(engine, receiver.url)
    until(engine, deliverer(engine), lambda: states(engine) == {"failed"})
    with engine.begin() as conn:
        assert outbox.replay(conn, state="failed") == 1
    until(engine, deliverer(engine), lambda: states(engine) == {"delivered"})
    assert len({each.headers["webhook-id"] for each in receiver.got}) == 1


def test_a_receiver_that_is_gone_for_good_gets_no_more(engine: Engine, receiver: Receiver) -> None:
    receiver.answers += [410]
    with engine.begin() as conn:
        manage.add(conn, receiver.url, ["account.paused"], allowed=networks(LOCAL))
        conn.execute(text("select tell('account.paused', '{}', null, null)"))
    until(engine, deliverer(engine), lambda: states(engine) == {"failed"})
    with engine.begin() as conn:
        conn.execute(text("select tell('account.paused', '{}', null, null)"))
        [hook] = manage.listed(conn)
    assert (hook["stopped"], len(rows(engine))) == ("HTTP 410: it is gone for good", 1)


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"])
def test_nothing_is_sent_to_this_machine(engine: Engine, receiver: Receiver, name: str) -> None:
    told(engine, receiver.url.replace("127.0.0.1", name))
    until(engine, deliverer(engine, allow="", first_s=1000), lambda: rows(engine)[0].error)
    assert "no public address" in rows(engine)[0].error
    assert receiver.got == []


def test_a_name_that_leads_to_us_at_the_second_look_does_not_get_through(
    engine: Engine, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: each look-up may say something else, and what counts is what is connected to."""
    looks: list[str] = []
    real = socket.getaddrinfo

    def changing(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host == "hooks.example":
            looks.append(host)
            host = "192.0.2.1" if len(looks) == 1 else "127.0.0.1"
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    told(engine, receiver.url.replace("127.0.0.1", "hooks.example"), 3)
    until(engine, deliverer(engine, allow="", first_s=1000), lambda: all(row.error for row in rows(engine)))
    assert looks
    assert all("no public address" in row.error for row in rows(engine))
    assert receiver.got == []


def test_of_two_processes_one_has_a_message(engine: Engine) -> None:
    told(engine, "http://127.0.0.1:9/", 8)
    with engine.begin() as one, engine.begin() as two:
        first = outbox.claim(one, busy={}, each=8, most=64, lease_s=30)
        second = outbox.claim(two, busy={}, each=8, most=64, lease_s=30)
    assert (len(first), len(second)) == (8, 0)


def test_a_try_that_is_over_writes_nothing_any_more(engine: Engine) -> None:
    """Its process stood still; another has delivered the message meanwhile."""
    told(engine, "http://127.0.0.1:9/")
    claims = []
    for _ in range(2):
        with engine.begin() as conn:
            claims += outbox.claim(conn, busy={}, each=8, most=64, lease_s=0)
    with engine.begin() as conn:
        outbox.settle(conn, claims[0], state="failed", after_s=0, status=500, error="HTTP 500", gone=False)
    assert states(engine) == {"pending"}
    with engine.begin() as conn:
        outbox.settle(conn, claims[1], state="delivered", after_s=0, status=200, error=None, gone=False)
    assert states(engine) == {"delivered"}


def test_a_try_whose_process_died_is_due_again(engine: Engine, receiver: Receiver) -> None:
    told(engine, receiver.url)
    with engine.begin() as conn:
        assert outbox.claim(conn, busy={}, each=8, most=64, lease_s=0)
    until(engine, deliverer(engine), lambda: states(engine) == {"delivered"})
    assert rows(engine)[0].tries == 2


def test_messages_to_a_host_are_few_at_once_and_in_their_order(engine: Engine) -> None:
    told(engine, "http://a.example/1", 6)
    told(engine, "http://A.example/2?x=1", 6)
    told(engine, "http://b.example/", 1)
    with engine.begin() as conn:
        claimed = outbox.claim(conn, busy={"http://a.example": 1}, each=4, most=64, lease_s=30)
    assert [due.host for due in claimed].count("http://a.example") == 3
    assert {due.id for due in claimed} == {1, 2, 3, 13}


def test_secrets_are_by_the_host_that_the_database_sees(engine: Engine) -> None:
    urls = [
        "http://a.example/1", "https://A.example:8443/x/y", "http://a.example?x=1", "http://a.example", "http://[::1]:9/#f",
    ]  # fmt: skip
    for url in urls:
        told(engine, url)
    assert [row.host for row in rows(engine)] == [host_of(url) for url in urls]


def test_old_messages_are_forgotten_but_none_that_is_pending(engine: Engine) -> None:
    told(engine, "http://a.example/", 3)
    with engine.begin() as conn:
        conn.execute(text("update deliveries set state = 'delivered', ended_at = now() where id < 3"))
        conn.execute(text("update deliveries set created_at = now() - interval '40 days' where id > 1"))
        assert outbox.forget(conn, for_s=30 * 86400) == 1
    assert [row.id for row in rows(engine)] == [1, 3]
