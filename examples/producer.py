"""Enqueue from Python, inside your own transaction: the job exists if and only if you commit.

Run it beside `mediajobs up`: .venv/bin/python examples/producer.py
"""

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from worker import enqueue, enqueue_many
from worker.settings import settings

engine = create_engine(settings().require_database_url())

with Session(engine) as session:
    # ... your own rows go into the same session ...
    [job_id] = enqueue(session, "image", {"prompt": "a paper boat on a pond"}, key="order-1001")
    many = enqueue_many(
        session,
        "image",
        ({"prompt": f"a paper boat, number {number}", "key": f"boat-{number}"} for number in range(10)),
        batch="boats",
    )
    session.commit()

print(f"job {job_id}; and {len(many)} in batch boats: mediajobs watch boats")
