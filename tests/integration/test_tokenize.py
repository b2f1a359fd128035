"""`submit --dry-run --tokenize`: the stand-in's tokenizer makes a forecast better."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cli.main import cli
from sandbox import process
from sandbox.process import SandboxProcess
from worker.producer import Row
from worker.settings import settings
from worker.tokenizer import SAMPLE, Sample

Submit = Callable[..., Result]


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxProcess]:
    made = process.start("--latency", "0")
    yield made
    made.stop()


@pytest.fixture
def api(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


@pytest.fixture
def submit(api: SandboxProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Submit]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDIAJOBS_API_BASE_URL", api.proxy_base_url)
    monkeypatch.setenv("MEDIAJOBS_API_TOKEN", api.token)
    monkeypatch.setenv("MEDIAJOBS_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("MEDIAJOBS_DATABASE_URL", raising=False)

    def run(*words: str) -> Result:
        settings.cache_clear()
        return CliRunner().invoke(cli, ["submit", "m.jsonl", *words], catch_exceptions=False)

    yield run
    settings.cache_clear()


def manifest(folder: Path, rows: int, **fields: object) -> None:
    lines = [json.dumps({"key": f"r{n}", "prompt": "What is fog?", "max_tokens": 10, **fields}) for n in range(rows)]
    (folder / "m.jsonl").write_text("\n".join(lines))


def test_rows_of_other_kinds_and_what_takes_from_other_rows_are_not_counted(submit: Submit, tmp_path: Path) -> None:
    rows = [
        {"key": "a", "prompt": "What is fog?", "max_tokens": 10},
        {"key": "b", "kind": "image", "prompt": "fog"},
        {"key": "c", "prompt": "Shorter: {{ text }}", "max_tokens": 10, "after": "a"},
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    said = submit("--kind", "chat", "--dry-run", "--tokenize")
    assert said.exit_code == 0, said.stderr
    assert "3 jobs would be enqueued" in said.stdout
    assert "1 of 1 row take" in said.stdout


def test_a_forecast_by_the_tokenizer(submit: Submit, api: SandboxProcess, tmp_path: Path) -> None:
    manifest(tmp_path, 3, prompt="What is fog? " * 500, max_tokens=1000)
    said = submit("--kind", "chat", "--dry-run", "--tokenize")
    assert said.exit_code == 0, said.stderr
    # By the stand-in: three words and a sign, 500 times, and four more for the message.
    cost = 3 * (2004 * 0.6 + 1000 * 2.2) / 1e6
    assert f"3 of 3 rows take 6,012 tokens in, where 6,525 were assumed: about ${cost:.4f} for all" in said.stdout
    summary = api.summary()
    assert (summary["received"], summary["charged"]) == (3, 0)


def test_images_of_this_machine_are_counted_too(submit: Submit, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
    manifest(tmp_path, 2, model="glm-4.6v", images="a.png")
    said = submit("--kind", "chat", "--dry-run", "--tokenize")
    assert said.exit_code == 0, said.stderr
    # By the stand-in: a thousand an image, whatever its size, and eight for the question.
    assert "2 of 2 rows take 2,016 tokens in" in said.stdout


def test_an_image_that_cannot_be_read_from_here_is_told(
    submit: Submit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = {"ENDPOINT_URL": "http://127.0.0.1:1", "ALLOW_HTTP": "true", "ACCESS_KEY_ID": "x",
               "SECRET_ACCESS_KEY": "x", "REGION": "eu-west-1"}  # fmt: skip
    for name, value in nowhere.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    manifest(tmp_path, 1, model="glm-4.6v", images="s3://no-such-bucket/a.png")
    said = submit("--kind", "chat", "--dry-run", "--tokenize")
    assert (said.exit_code, "cannot read s3://no-such-bucket/a.png" in said.stderr) == (2, True)


def test_of_many_rows_some_are_asked_about(submit: Submit, api: SandboxProcess, tmp_path: Path) -> None:
    manifest(tmp_path, 60)
    said = submit("--kind", "code", "--dry-run", "--tokenize")
    assert f"{SAMPLE} of 60 rows take" in said.stdout
    assert api.summary()["received"] == SAMPLE


def test_every_row_may_be_in_the_sample() -> None:
    rows = [Row(args={"model": "glm-4.6"}, row=number, kind="chat") for number in range(1000)]
    sample = Sample()
    assert list(sample.of(iter(rows))) == rows
    assert len(sample.rows) == SAMPLE
    assert max(row.row or 0 for row in sample.rows) > 500


@pytest.mark.parametrize("words", [("--kind", "chat"), ("--kind", "image", "--dry-run")])
def test_where_it_makes_no_sense(submit: Submit, tmp_path: Path, words: tuple[str, ...]) -> None:
    manifest(tmp_path, 1)
    refused = submit(*words, "--tokenize")
    assert (refused.exit_code, "--tokenize goes with --dry-run" in refused.stderr) == (2, True)


def test_when_the_tokenizer_refuses(submit: Submit, api: SandboxProcess, tmp_path: Path) -> None:
    manifest(tmp_path, 1)
    api.change("account", token="at_other")
    failed = submit("--kind", "chat", "--dry-run", "--tokenize")
    assert (failed.exit_code, "the tokenizer: Invalid api_token" in failed.stderr) == (1, True)
