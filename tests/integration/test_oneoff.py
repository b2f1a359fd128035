"""A one-off job that waits says for what."""

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from cli.oneoff import standing
from worker.producer import enqueue


def test_why_it_waits(engine: Engine) -> None:
    with Session(engine) as session:
        jobs = enqueue(session, "image", {"prompt": "a"}) + enqueue(session, "image", {"prompt": "b"})
        session.execute(text("update limits set pause_reason = 'looking' where model = 'cogview-4-250304'"))
        session.commit()
        paused = "cogview-4-250304 is paused until resumed: looking"
        assert standing(session, jobs) == ({"queued": 2}, paused)
        session.execute(
            text("update jobs set state = 'succeeded', finished_at = now() where id = :id"), {"id": jobs[0]}
        )
        assert standing(session, jobs) == ({"succeeded": 1, "queued": 1}, paused)
        given = "state = 'dispatched', holds_slot = true, lease_until = now()"
        session.execute(text(f"update jobs set {given} where id = :id"), {"id": jobs[1]})
        assert standing(session, jobs) == ({"succeeded": 1, "dispatched": 1}, None)
