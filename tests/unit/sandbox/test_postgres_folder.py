"""Where the socket lies if the data directory's path is too long for it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.postgres import EmbeddedPostgres, PostgresError


@pytest.fixture
def sockets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that a cluster in a folder of a long name is going to use."""
    with tempfile.TemporaryDirectory(prefix="mj-") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(postgres(tmp_path).url.partition("?host=")[2])


def postgres(tmp_path: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(tmp_path / ("long" * 30))


def test_a_folder_that_is_open_to_others_is_refused(tmp_path: Path, sockets: Path) -> None:
    sockets.mkdir()
    sockets.chmod(0o755)
    with pytest.raises(PostgresError, match="is not a folder of this user alone"):
        postgres(tmp_path).start()


def test_a_link_to_a_folder_is_refused(tmp_path: Path, sockets: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    sockets.symlink_to(tmp_path / "theirs")
    with pytest.raises(PostgresError, match="is not a folder of this user alone"):
        postgres(tmp_path).start()


def test_a_folder_of_ours_serves(tmp_path: Path, sockets: Path) -> None:
    cluster = postgres(tmp_path)
    for _ in range(2):
        cluster.start()
        assert (sockets / ".s.PGSQL.5432").exists()
        cluster.stop()
