"""The token is in no log, no table, no error message and no list of processes."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox import process
from tests.support.stack import Stack, wait_until

TOKEN = "at_Very-Secret-0123456789"

FAULTS = ["bad_gateway_after", "html", "truncated", "bad_parameter", "content", "server_error_after", "reset_after"]


# The proxy has the token in each URL, which is where it would slip into a log; a header is looked at in a soak.
@pytest.mark.parametrize("style", ["proxy", pytest.param("direct", marks=pytest.mark.soak)])
def test_the_token_is_nowhere(folder: Path, style: str) -> None:
    stand_in = process.start("--speed", "50", "--wrapper", "result", token=TOKEN)
    stack = Stack(folder, sandbox=False)
    base = stand_in.proxy_base_url if style == "proxy" else stand_in.direct_base_url
    try:
        form = "json" if style == "proxy" else "plain"
        stack.start(MEDIAJOBS_API_BASE_URL=base, MEDIAJOBS_API_TOKEN=TOKEN, MEDIAJOBS_POLL_FIRST_S="0.5",
                    MEDIAJOBS_LOG_FORMAT=form)  # fmt: skip
        stack.environment |= {"MEDIAJOBS_API_BASE_URL": base, "MEDIAJOBS_API_TOKEN": TOKEN}
        rows = "".join(f"a picture [[fault:{fault}]]\n" for fault in FAULTS)
        (folder / "images.csv").write_text(f"prompt\na picture\n{rows}")
        said = [stack.run("submit", "images.csv", "--kind", "image", "--batch", "b")]
        said.append(stack.run("image", "refused [[fault:bad_parameter]]", code=1))
        stand_in.play({"fault": "bad_token", "times": 1})
        said.append(
            stack.run("submit", "-", "--format", "jsonl", "--kind", "video", "--batch", "v", input='{"prompt": "x"}')
        )
        wait_until(lambda: "paused" in stack.run("status", "v"), what="the account's pause after a 401")
        # The doctor has something to say: lost answers are held.
        said += [stack.run("doctor", code=None), stack.run("status", "v"), stack.run("show", "1"), stack.run("jobs")]
        with stack.database() as conn:
            tables = [row[0] for row in conn.execute("select tablename from pg_tables where schemaname = 'public'")]
            assert "attempts" in tables
            for table in tables:
                rows_found = conn.execute(f"select t::text from {table} t").fetchall()
                said += [row[0] for row in rows_found]
            answers = conn.execute("select answer from attempts where answer is not null").fetchall()
            said += [row[0].decode(errors="replace") for row in answers]
        said += [path.read_text(errors="replace") for path in (folder / "d" / "logs").iterdir()]
        said += [path.read_bytes().decode(errors="replace") for path in Path("/proc").glob("[0-9]*/cmdline")
                 if not_the_sandbox(path, stand_in.pid)]  # fmt: skip
        assert len(said) > 20
        assert not [text for text in said if TOKEN in text]
        if form == "json":
            assert {"failed", "succeeded"} <= {line["event"] for line in steps(folder / "d" / "logs")}
    finally:
        stack.stop()
        stand_in.stop()


def steps(logs: Path) -> list[dict[str, Any]]:
    """The lines of jobs in the workers' logs, which are JSON from where Celery's banner ends."""
    found: list[dict[str, Any]] = []
    for name in ("run1", "store", "upkeep", "web"):
        lines = (logs / f"{name}.log").read_text().splitlines()
        begins = next((place for place, line in enumerate(lines) if line.startswith("{")), len(lines))
        found += [line for line in map(json.loads, lines[begins:]) if "job" in line]
    return found


def not_the_sandbox(cmdline: Path, pid: int) -> bool:
    """The stand-in is given its token as a flag."""
    return cmdline.parent.name != str(pid) and cmdline.exists()
