"""Webhooks of a whole stack: a batch's end is told although its receiver is down and our process dies."""

import os
import signal
from pathlib import Path

from standardwebhooks.webhooks import Webhook

from tests.support.receiver import receiving
from tests.support.stack import Stack, run_forked, wait_until


def test_a_batchs_end_is_told_through_a_kill_and_a_receiver_that_was_down(folder: Path) -> None:
    stack = Stack(folder, "--speed", "50")
    (folder / "rows.csv").write_text("prompt\n" + "".join(f"fox {n}\n" for n in range(8)))
    with receiving() as receiver:
        stack.start(
            MEDIAJOBS_WEBHOOK_ALLOW="127.0.0.1", MEDIAJOBS_WEBHOOK_RETRY_S="0.2", MEDIAJOBS_WEBHOOK_TIMEOUT_S="3"
        )
        stack.environment["MEDIAJOBS_WEBHOOK_ALLOW"] = "127.0.0.1"
        try:
            receiver.answering.clear()
            hook = ("--event", "job.succeeded", "--event", "job.failed")
            secret = stack.run("webhooks", "add", receiver.url + "/jobs", *hook).splitlines()[-1]
            stack.run("submit", "rows.csv", "--kind", "image", "--batch", "foxes", "--webhook", receiver.url + "/end")
            # Nobody answers, and the jobs go on.
            stack.wait_for("foxes", "succeeded", 8)
            wait_until(lambda: len(receiver.got) >= 4, what="messages under way")
            for pid in stack.pids("upkeep"):
                os.kill(pid, signal.SIGKILL)
            receiver.answers += [500] * 3
            receiver.answering.set()
            count = "select count(*) from deliveries where state <> 'delivered'"
            with stack.database() as database:
                wait_until(lambda: database.execute(count).fetchone() == (0,), what="all delivered")
            for got in receiver.got:
                Webhook(secret).verify(got.body, got.headers)
            ends = {got.headers["webhook-id"] for got in receiver.got if got.path == "/hook/end"}
            jobs = {
                got.headers["webhook-id"]: got.message["data"]["job"]
                for got in receiver.got
                if got.path == "/hook/jobs"
            }
            assert len(ends) == 1
            assert receiver.of("batch.finished")[0]["counts"] == {"succeeded": 8}
            assert len(jobs) == 8
            assert len({*jobs.values()}) == 8
            assert stack.audit() == []
            assert "delivered" in stack.run("webhooks", "log", "--batch", "foxes")
        finally:
            stack.stop()


def test_a_batchs_url_is_looked_at_when_it_is_given(database_url: str, tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAJOBS_")}
    (tmp_path / "rows.csv").write_text("prompt\na fox\n")

    def run(*args: str) -> tuple[int, str]:
        environment = {**clean, "MEDIAJOBS_DATABASE_URL": database_url}
        code, stdout, stderr = run_forked(*args, environment=environment, folder=tmp_path)
        return code, stdout + stderr

    code, said = run("submit", "rows.csv", "--kind", "image", "--webhook", "http://127.0.0.1:5678/x")
    assert (code, "MEDIAJOBS_WEBHOOK_ALLOW=127.0.0.1 would allow it" in said) == (2, True), said
    for words, code, expected in (
        (("webhooks", "rm", "7"), 2, "no webhook 7"),
        (("webhooks", "replay"), 2, "name messages by their ids"),
        (("webhooks",), 0, "nobody is told"),
    ):
        found, said = run(*words)
        assert (found, expected in said) == (code, True), said
