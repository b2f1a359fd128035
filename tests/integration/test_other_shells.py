"""What commands in another shell know of a running `up`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from worker.settings import SERVICES_FILE, Settings, settings, shared, write_services

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A command where nothing is set but the data dir."""
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "BROKER_URL", "API_BASE_URL", "API_TOKEN", "OUTPUTS_URL"):
        monkeypatch.delenv(f"MEDIAJOBS_{name}", raising=False)
    monkeypatch.setenv("MEDIAJOBS_DATA_DIR", str(tmp_path))

    def mediajobs(*words: str) -> Result:
        settings.cache_clear()
        return CliRunner().invoke(cli, words)

    yield mediajobs
    settings.cache_clear()


def up(folder: Path) -> None:
    """What a running `up` leaves there that was told all by its environment."""
    config = Settings(
        api_base_url="http://127.0.0.1:1/api", api_token="its own", outputs_url=f"file://{folder}/elsewhere",  # type: ignore[arg-type]
        database_url="postgresql://me:secret@h/d", broker_url="redis://:secret@h",
    )  # fmt: skip
    write_services(folder, shared(config), {})


def test_where_the_api_and_the_outputs_are_and_no_secret(run: Run, tmp_path: Path) -> None:
    up(tmp_path)
    written = (tmp_path / SERVICES_FILE).read_text()
    assert not [word for word in ("its own", "secret") if word in written]
    settings.cache_clear()
    found = Settings()
    assert (found.api_base_url, found.outputs) == ("http://127.0.0.1:1/api", f"file://{tmp_path}/elsewhere")
    assert found.api_token.get_secret_value() == ""


def test_doctor_names_what_is_missing(run: Run, tmp_path: Path) -> None:
    up(tmp_path)
    said = run("doctor")
    assert said.exit_code == 3
    for part in (
        "database: not set\n         -> no database: the `mediajobs up` of data dir",
        "has its own by MEDIAJOBS_DATABASE_URL; set that here too",
        "broker: not set\n         -> set MEDIAJOBS_BROKER_URL here too",
        "API token: not set\n         -> MEDIAJOBS_API_TOKEN is not set here, nor in a .env; set it: the one",
        "API: http://127.0.0.1:1/api: ConnectError",
    ):
        assert part in said.output, said.output


def test_a_call_names_the_token(run: Run, tmp_path: Path) -> None:
    up(tmp_path)
    said = run("call", "models")
    assert (said.exit_code, "no API token: MEDIAJOBS_API_TOKEN is not set here" in said.output) == (2, True)


def test_without_a_running_up(run: Run) -> None:
    assert "no database: MEDIAJOBS_DATABASE_URL is not set, and no `mediajobs up` runs" in run("status").output
