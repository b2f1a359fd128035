"""What a user can mend is told in words, with the contract's exit code; nobody sees a traceback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import COMMANDS, cli
from worker.settings import settings

SETTINGS = {
    "no URL": ("DATABASE_URL", "nonsense", "is no Postgres URL; write it as postgresql://"),
    "another database": ("DATABASE_URL", "mysql://h/x", "is no Postgres URL"),
    "a port that is no number": ("DATABASE_URL", "postgresql://h:port/x", "is no Postgres URL"),
    "another broker": ("BROKER_URL", "amqp://h", "is no Redis or Valkey URL"),
    "another store": ("OUTPUTS_URL", "ftp://x", "write it as file:///folder or s3://bucket/prefix"),
    "a store without a bucket": ("OUTPUTS_URL", "s3://", "write it as file:///folder"),
    "no JSON": ("PRICES", "xx", "is no JSON"),
    "a negative price": (
        "PRICES",
        '{"glm-image": -1}',
        "glm-image: a call: Input should be greater than or equal to 0",
    ),
    "half a price": ("PRICES", '{"glm-4.6": {"input": 1}}', "glm-4.6: tokens: output: Field required"),
    "a kind misspelt": ("ON_UNKNOWN", '{"vidoe": "hold"}', "vidoe: neither a model nor a kind"),
    "a name for a network": ("WEBHOOK_ALLOW", "n8n.internal", "write it as 10.0.0.0/8, 127.0.0.1"),
    "a policy misspelt": ("ON_UNKNOWN", '{"video": "hodl"}', "video: Input should be 'retry' or 'hold'"),
}


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Settings of the test's own; `--data-dir` sets the variable, which is set back."""
    monkeypatch.setenv("MEDIAJOBS_DATA_DIR", str(tmp_path))
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.parametrize("command", ["status", "doctor", "up"])
@pytest.mark.parametrize(("name", "value", "said"), SETTINGS.values(), ids=SETTINGS)
def test_a_wrong_setting(command: str, name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MEDIAJOBS_{name}", value)
    done = CliRunner().invoke(cli, [command])
    assert done.exit_code == 2
    assert done.output.startswith(f"mediajobs: MEDIAJOBS_{name}: ")
    assert said in done.output


def test_a_model_that_is_not_known_may_have_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAJOBS_ON_UNKNOWN", '{"cogvideox-9": "retry", "image": "hold"}')
    assert settings().on_unknown == {"cogvideox-9": "retry", "image": "hold"}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_fits_into_80_columns(command: str) -> None:
    done = CliRunner().invoke(cli, [command, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    assert max(map(len, done.output.splitlines())) <= 80


WRONG = {
    "a folder below a file": (["up", "--data-dir", "/dev/null/x"], "cannot use /dev/null/x"),
    "a folder where none can be": (["up", "--data-dir", "/proc/x"], "cannot use /proc/x"),
    "a port too high": (["up", "--port", "99999"], "99999 is not in the range"),
    "a port below none": (["up", "--port", "-5"], "-5 is not in the range"),
    "a number that no job has": (["show", "9" * 23], "is not in the range"),
    "such a number to act on": (["cancel", "9" * 23], "is not in the range"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_wrong_use(words: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert said in done.output
