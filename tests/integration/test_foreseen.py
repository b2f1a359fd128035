"""`submit --dry-run` says what `submit` will say, and refuses what it will refuse."""

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from cli.main import cli
from worker.foreseen import foresee
from worker.producer import checked, insert_rows
from worker.settings import settings

Submit = Callable[..., Result]
numbers = count()


@pytest.fixture
def submit(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Submit]:
    """Submit rows as batch b."""
    monkeypatch.setenv("MEDIAJOBS_DATABASE_URL", database_url)
    monkeypatch.setenv("MEDIAJOBS_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()

    def run(rows: list[dict[str, Any]], *words: str) -> Result:
        Path("m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return CliRunner().invoke(cli, ["submit", "m.jsonl", "--kind", "image", "--batch", "b", *words])

    yield run
    settings.cache_clear()


def image(key: str, *after: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "prompt": key, **more, **({"after": list(after)} if after else {})}


BAD = image("bad", size="huge")
#: rows → those of them that are told, those told besides with --skip-invalid, and jobs that are then made
FILES: dict[str, tuple[list[dict[str, Any]], set[int], set[int], int]] = {
    "good": ([image("a"), image("b", "a")], set(), set(), 2),
    "a bad row, and what comes after it": ([BAD, image("b", "bad"), image("c", "b"), image("d")], {1}, {2, 3}, 1),
    "all that can be wrong": (
        [BAD, image("a", "nobody"), image("b", "c"), image("c", "b"), image("d", "d"), image("e", n=2),
         image("f", "e"), image("g", "e#1"), image("h", "a"), image("i", "bad", n=3)],
        {1, 2, 3, 5, 7}, {4, 9, 10}, 3,
    ),
    "after what was there before": ([image("old"), image("a", "old"), image("b", "older")], {3}, set(), 1),
    "nothing good": ([BAD, image("a", "bad")], {1}, {2}, 0),
    "nothing but a circle": ([image("a", "b"), image("b", "a")], {1}, {2}, 0),
}  # fmt: skip


def told(said: str) -> set[int]:
    """The rows that are told of."""
    return {int(line.split()[1].strip(":")) for line in said.splitlines() if line.startswith("row ")}


@pytest.mark.parametrize("file", FILES)
def test_a_dry_run_refuses_what_submit_refuses(submit: Submit, engine: Engine, file: str) -> None:
    rows, wrong, along, made = FILES[file]
    old = rows[0] == image("old")
    if old:
        submit([image("old")])
    dry, real = submit(rows, "--dry-run"), submit(rows)
    assert (dry.exit_code, real.exit_code) == ((2, 2) if wrong else (0, 0))
    assert told(dry.stderr) == told(real.stderr) == wrong
    assert dry.stderr == real.stderr
    assert f"{made} job{'s' * (made != 1)} would be enqueued" in dry.stdout
    assert ("with --skip-invalid" in dry.stdout) == (bool(wrong) and made > 0)
    with engine.begin() as conn:
        conn.execute(text("delete from jobs where key <> 'old'"))
    dry, real = submit(rows, "--dry-run", "--skip-invalid"), submit(rows, "--skip-invalid")
    assert dry.exit_code == real.exit_code == (0 if made else 2)
    assert told(dry.stderr) == told(real.stderr) == wrong | along
    assert dry.stderr == real.stderr
    already = ", 1 were there already" if old else ""
    assert f"{made} job{'s' * (made != 1)} would be enqueued{already}, for about" in dry.stdout
    assert not made or f"{made} job{'s' * (made != 1)} enqueued{already}; batch 'b'" in real.stdout


def test_a_key_with_other_input_is_refused_by_both(submit: Submit) -> None:
    submit([image("a"), image("b", "a")])
    for rows in ([image("a", size="512x512")], [image("a"), image("b")], [{**image("a"), "kind": "chat"}]):
        dry, real = submit(rows, "--dry-run"), submit(rows)
        assert (dry.exit_code, dry.output) == (real.exit_code, real.output)
        assert "submitted before with other input: key" in dry.stderr


def test_what_costs_nothing_for_it_is_left_out_is_not_in_the_forecast(submit: Submit) -> None:
    rows = [image("a"), image("b", "z", model="glm-image")]
    assert "glm-image" not in submit(rows, "--dry-run").stdout
    assert "1 job would be enqueued, for about $0.01 and" in submit(rows, "--dry-run", "--skip-invalid").stdout


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "\x00"])
def test_a_batch_needs_a_name(submit: Submit, name: str) -> None:
    refused = submit([image("a")], "--batch", name)
    assert (refused.exit_code, "is no name of a batch; use a text of 1 to 200" in refused.stderr) == (2, True)


KEYS = st.sampled_from("abcdef")
ROWS = st.lists(
    st.tuples(KEYS, st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "a#1", "z"]), max_size=2), st.booleans()),
    unique_by=lambda row: row[0],
    max_size=6,
)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=ROWS, now=ROWS, bad=st.sets(KEYS))
def test_what_is_foreseen_comes_true(engine: Engine, before: Any, now: Any, bad: set[str]) -> None:
    batch = f"b{next(numbers)}"

    def rows(given: Any) -> Any:
        return checked("image", [image(key, *after, n=2 if two else 1) for key, after, two in given if key not in bad])

    with Session(engine) as session:
        insert_rows(session, batch, None, rows(before), skip_misplaced=True)
        session.commit()
    kept = {key: (key, after, two) for key, after, two in before}
    again = [kept.get(row[0], row) for row in now]  # a key with other input is refused
    with engine.connect() as conn:
        foreseen = foresee(rows(again), bad, conn, batch)
    with Session(engine) as session:
        made = insert_rows(session, batch, None, rows(again), skip_misplaced=True, bad=bad)
        session.commit()
    assert (sum(each.jobs for each in foreseen.sums.values()), foreseen.already) == (made.added, made.already)
    for name in ("wrong", "along"):
        assert list(map(str, getattr(foreseen.left, name))) == list(map(str, getattr(made.left_out, name)))
