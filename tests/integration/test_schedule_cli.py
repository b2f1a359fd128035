"""What `mediajobs schedule` says, on a database without workers."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from cli.main import cli
from tests.support.schedules import Scheduler, say, write
from worker.settings import settings
from worker.storage import Storage

Run = Callable[..., str]
NIGHTLY = ["--cron", "0 2 * * *", "--timezone", "Europe/Berlin"]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command that is to exit with `code`; returns all that it said."""
    monkeypatch.setenv("MEDIAJOBS_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()

    def mediajobs(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(cli, ["schedule", *words])
        assert done.exit_code == code, done.output
        return done.output

    yield mediajobs
    settings.cache_clear()


@pytest.fixture
def scheduler(engine: Engine, tmp_path: Path) -> Scheduler:
    return Scheduler(engine, Storage.open((tmp_path / "outputs").as_uri()))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write(tmp_path / "in", "a.wav", say("amber"))
    write(tmp_path / "in", "talks/b.wav", say("basil"))
    write(tmp_path / "in", "bad.wav", b"no sound")
    return tmp_path / "in"


def words(said: str) -> str:
    """Without the places where lines were broken."""
    return " ".join(said.split())


def test_a_schedule_from_add_to_rm(run: Run, scheduler: Scheduler, source: Path) -> None:
    said = run("add", "talks", *NIGHTLY, "--source", "in", "--pattern", "**/*.wav", "--language", "de",
               "--out", "beside", "--set", "temperature=0.5")  # fmt: skip
    assert said.startswith("'talks': at 02:00 every day (Europe/Berlin); next: 20")
    assert f"3 files in {source} (0.0 MB) match now" in said
    scheduler.run("talks")
    scheduler.end_jobs()
    write(source, "talks/b.txt", b"theirs")
    scheduler.publish()
    listed = words(run("list"))
    for part in (
        "talks: at 02:00 every day (Europe/Berlin)",
        f"{source}: **/*.wav -> beside",
        "next: 20",
        " 02:00 CE",
        "2 new of 3 files, 1 not taken; 2 succeeded, $0; not put: 1 out_exists",
    ):
        assert part in listed
    shown = words(run("show", "talks"))
    assert 'catch-up once, within 3 d; overlap skip; fields {"language": "de", "temperature": "0.5"}' in shown
    assert "bad.wav: is no readable audio" in shown
    assert f"out_exists: {source}/talks/b.txt: a file is there that is not this recording's" in shown
    assert "is paused" in run("pause", "talks")
    assert "paused since 20" in run("list")
    [found] = json.loads(run("list", "--json"))
    assert (found["name"], found["next_at"], found["patterns"]) == ("talks", None, ["**/*.wav"])
    assert found["runs"][0]["jobs"] == {"succeeded": 2}
    assert found["runs"][0]["outputs"] == {"done": 3, "out_exists": 1}
    assert "is resumed; next: 20" in run("resume", "talks")
    found = json.loads(run("show", "talks", "--json"))
    assert found["problems"][0]["path"] == "bad.wav"
    assert found["not_put"][0]["state"] == "out_exists"
    assert "'talks' is removed; 2 files that it had done are not known any more" in run("rm", "talks")
    assert "there is no schedule; `mediajobs schedule add` makes one" in run("list")
    assert run("list", "--json") == "[]\n"


def test_a_schedule_is_changed_and_knows_its_files_still(run: Run, scheduler: Scheduler, source: Path) -> None:
    run("add", "talks", *NIGHTLY, "--source", "in")
    scheduler.run("talks")
    again = ["add", "talks", "--cron", "30 3 * * *", "--source", str(source)]
    assert "there is a schedule 'talks' already; --replace changes it" in run(*again, code=2)
    assert "'talks': at 03:30 every day (UTC)" in run(*again, "--replace")
    assert scheduler.run("talks")["added"] == 0


def test_a_run_is_asked_for_and_a_range_is_filled_up(run: Run, scheduler: Scheduler, source: Path) -> None:
    run("add", "talks", *NIGHTLY, "--source", "in")
    assert "the run of 20" in run("run", "talks")
    scheduler.tick()
    day = 86400
    write(source, "old.wav", say("cedar"), age_s=2 * day)
    write(source, "older.wav", say("delta"), age_s=3 * day)
    write(source, "oldest.wav", say("ember"), age_s=30 * day)
    [row] = scheduler.rows("select to_char(now() - interval '6 days', 'YYYY-MM-DD') as start, "
                           "to_char(now() - interval '1 day', 'YYYY-MM-DD') as end")  # fmt: skip
    assert "6 runs due" in run("run", "talks", "--from", row.start, "--to", row.end)
    while scheduler.tick():
        pass
    # Each took what was changed in its time; what is older than the range is not its.
    assert sorted(scheduler.keys()) == ["a.wav", "old.wav", "older.wav", "talks/b.wav"]
    assert len(scheduler.rows("select distinct batch_id from jobs")) == 3
    assert "0 runs due; 6 had run, or are due already" in run("run", "talks", "--from", row.start, "--to", row.end)
    assert scheduler.run("talks")["added"] == 1


WRONG = {
    "a bad hour": (["--cron", "0 25 * * *"], "--cron: the hour '25' is not valid; use 0 to 23"),
    "four fields": (["--cron", "0 2 * *"], "--cron: '0 2 * *' has not five fields but 4"),
    "a zone misspelt": (["--timezone", "Europe/Berln"], "'Europe/Berln' is no time zone; did you mean Europe/Berlin"),
    "no such folder": (["--source", "nowhere"], "--source: there is no folder"),
    "a file": (["--source", "in/a.wav"], "Not a directory"),
    "another store": (["--source", "ftp://x/y"], "--source: 'ftp://x/y' is neither a folder nor s3://bucket/prefix"),
    "no bucket": (["--source", "s3://"], "--source: 's3://' names no bucket"),
    "a pattern from the root": (["--pattern", "/in/*"], "--pattern: '/in/*' matches nothing: paths are relative"),
    "a span without a unit": (["--max-age", "3"], "'3' is no span of time; write it as 3d, 12h or 90m"),
    "a span too long": (["--max-age", "52w"], "--max-age: use 1m to 31d"),
    "no URL": (["--webhook", "example.org"], "--webhook: 'example.org' is no http(s) URL"),
    "a model of another kind": (["--model", "cogvideox-3"], "--model: 'cogvideox-3' is a model for video jobs"),
    "a field misspelt": (["--set", "langauge=de"], "langauge: is no field of this kind"),
    "the file itself": (["--set", "file=a.wav"], "file: is each file of the source"),
    "a place below a file": (["--out", "in/a.wav/x"], "--out: cannot make the folder"),
}


@pytest.mark.parametrize(("options", "said"), WRONG.values(), ids=WRONG)
def test_mistakes_are_told_with_their_field(run: Run, source: Path, options: list[str], said: str) -> None:
    assert said in words(run("add", "talks", *NIGHTLY, "--source", "in", *options, code=2))
    assert run("list", "--json") == "[]\n"


def test_a_name_that_cannot_be(run: Run, source: Path) -> None:
    for name in ("x" * 61, " ", ""):
        assert "is no name; use 1 to 60 characters" in words(run("add", name, *NIGHTLY, "--source", "in", code=2))


UNKNOWN = [
    ["show", "x"],
    ["pause", "x"],
    ["resume", "x"],
    ["run", "x"],
    ["run", "x", "--from", "2026-01-01"],
    ["rm", "x"],
]


@pytest.mark.parametrize("asked", UNKNOWN, ids=" ".join)
def test_a_schedule_that_is_not_there(run: Run, asked: list[str]) -> None:
    assert "there is no schedule 'x'; `mediajobs schedule list` names them" in run(*asked, code=2)


RANGES = {
    "no year": (["--from", "0001-01-01"], "--from: '0001-01-01' is no time that a schedule can have"),
    "no time": (["--from", "yesterday"], "--from: 'yesterday' is no time; write it as 2026-11-30"),
    "in the future": (["--from", "2099-01-01"], "--from: 2099-01-01 has not come yet"),
    "the wrong way round": (["--from", "2026-01-02", "--to", "2026-01-01T00:00"], "no tick lies between"),
    "too much": (["--from", "2001-01-01"], "more than 1000 ticks lie between"),
    "an end alone": (["--to", "2026-01-01"], "--to takes --from"),
    "waiting for many": (["--from", "2026-01-01", "--wait"], "--wait is for one run"),
}


@pytest.mark.parametrize(("options", "said"), RANGES.values(), ids=RANGES)
def test_a_range_that_cannot_be(run: Run, source: Path, options: list[str], said: str) -> None:
    run("add", "talks", *NIGHTLY, "--source", "in")
    assert said in run("run", "talks", *options, code=2)


@pytest.mark.parametrize("command", ["add", "list", "show", "run", "pause", "resume", "rm"])
def test_the_help_of_each_command_fits_too(run: Run, command: str) -> None:
    assert max(map(len, run(command, "--help").splitlines())) <= 80


def test_lines_fit_into_80_columns(run: Run, scheduler: Scheduler, source: Path) -> None:
    run("add", "talks", "--cron", "15,45 6,18 1,15 1-3 *", "--timezone", "Europe/Berlin", "--source", "in",
        "--pattern", "**/*.{m4a,wav}", "--pattern", "!old/**", "--pattern", "!**/*-draft.*")  # fmt: skip
    scheduler.run("talks")
    scheduler.do("update schedule_runs set state = 'failed', error = :error", error="word " * 40)
    for line in (run("list") + run("show", "talks")).splitlines():
        assert len(line) <= 80 or str(source) in line, line
