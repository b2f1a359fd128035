"""Folders and buckets do the same, but for what only one of them can have."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.schedules import write
from worker.patterns import Patterns
from worker.storage import FileError, Found, Place, PlaceError, Trouble, hashed, open_place

ALL = Patterns.of(["**/*"])
NAMES = ["a.wav", "talks/b c.wav", "100%.wav", "%41.wav", "Talk #1.wav", "Talk#1", "ü/ß.wav", "[x]{y}*?.wav",
         '~t`^|".wav', "plus+and&eq=.wav"]  # fmt: skip


@dataclass
class Case:
    """A place, a way to put a file there as its owner would, and to see what is there."""

    place: Place
    write: Callable[[str, bytes], object]
    read: Callable[[str], bytes]


@pytest.fixture(params=["folder", "bucket", "prefix"])
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    if request.param == "folder":
        return Case(
            open_place(str(tmp_path)),
            lambda path, data: write(tmp_path, path, data),
            lambda path: (tmp_path / path).read_bytes(),
        )
    bucket: Any = request.getfixturevalue("bucket")
    for name, value in request.getfixturevalue("aws").items():
        monkeypatch.setenv(name, value)
    prefix = "in/deep/" if request.param == "prefix" else ""
    bucket.put_object(Key="in/outside.wav", Body=b"?") if prefix else None
    return Case(
        open_place(f"s3://media/{prefix}"),
        lambda path, data: bucket.put_object(Key=prefix + path, Body=data),
        lambda path: bytes(bucket.Object(prefix + path).get()["Body"].read()),
    )


def test_files_are_listed_and_read_under_any_name(case: Case) -> None:
    for number, name in enumerate(NAMES, 1):
        case.write(name, b"x" * number)
    case.place.look()
    listed = {each.path: each for each in case.place.files(ALL) if isinstance(each, Found)}
    assert sorted(listed) == sorted(NAMES)
    for number, name in enumerate(NAMES, 1):
        read, digest = hashed(case.place, name)
        assert read == listed[name]
        assert read.size == number
        assert digest == hashed(case.place, name)[1]
    assert {each.path for each in case.place.files(Patterns.of(["talks/*"])) if isinstance(each, Found)} == {
        "talks/b c.wav"
    }


def test_a_large_file_comes_in_chunks(case: Case) -> None:
    data = bytes(range(256)) * 20_000
    case.write("a.wav", data)
    chunks: list[bytes] = []
    case.place.read("a.wav", chunks.append)
    assert len(chunks) > 1
    assert b"".join(chunks) == data


def test_what_is_not_there_is_told(case: Case) -> None:
    with pytest.raises(FileNotFoundError):
        hashed(case.place, "none.wav")
    with pytest.raises(FileNotFoundError):
        hashed(case.place, "no/such/folder.wav")


def test_a_file_is_made_only_where_there_is_none(case: Case) -> None:
    assert case.place.create("new/a.txt", b"ours")
    assert not case.place.create("new/a.txt", b"again")
    assert case.read("new/a.txt") == b"ours"
    case.write("theirs.txt", b"theirs")
    assert not case.place.create("theirs.txt", b"ours")
    assert case.read("theirs.txt") == b"theirs"


def test_a_file_is_replaced_only_as_it_was_known(case: Case) -> None:
    case.place.create("a.txt", b"first")
    known, _ = hashed(case.place, "a.txt")
    assert case.place.replace(known, b"second")
    assert case.read("a.txt") == b"second"
    assert not case.place.replace(known, b"third")
    assert case.read("a.txt") == b"second"


def test_nothing_but_what_was_put_is_left_behind(case: Case) -> None:
    case.place.create("a.txt", b"first")
    case.place.create("a.txt", b"again")
    case.place.replace(hashed(case.place, "a.txt")[0], b"second")
    assert {each.path for each in case.place.files(Patterns.of(["**/*", ".*", "**/.*"]))} == {"a.txt"}


def test_a_folder_that_is_not_there_or_is_none(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="there is no folder"):
        open_place(str(tmp_path / "none")).look()
    (tmp_path / "file").write_bytes(b"x")
    none = open_place(str(tmp_path / "file"))
    for use in (none.look, lambda: list(none.files(ALL))):
        with pytest.raises(PlaceError, match=r"cannot read the folder .*: Not a directory"):
            use()


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(FileError, match="cannot be written: "):
        open_place(str(tmp_path)).create("file/a.txt", b"x")


def test_links(tmp_path: Path) -> None:
    """To files they are followed; to folders not, for they may lead in a ring."""
    write(tmp_path, "a.wav", b"x")
    (tmp_path / "link.wav").symlink_to("a.wav")
    (tmp_path / "broken.wav").symlink_to("none.wav")
    (tmp_path / "ring").symlink_to(tmp_path)
    assert sorted(each.path for each in open_place(str(tmp_path)).files(ALL)) == ["a.wav", "link.wav"]


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "a.txt").symlink_to("theirs")
    assert not open_place(str(tmp_path)).create("a.txt", b"ours")
    assert (tmp_path / "theirs").read_bytes() == b"theirs"


def s3(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch, **other: str) -> None:
    for name, value in {**aws, **other}.items():
        monkeypatch.setenv(name, value)


def test_a_bucket_that_is_not_there_or_out_of_reach(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    s3(aws, monkeypatch)
    with pytest.raises(PlaceError, match="cannot list s3://nobucket/: NoSuchBucket: The specified bucket"):
        open_place("s3://nobucket").look()
    with pytest.raises(PlaceError, match="s3://media/a//b cannot be used"):
        open_place("s3://media/a//b")
    s3(aws, monkeypatch, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    with pytest.raises(PlaceError, match=r"cannot list s3://media/: .*error sending request"):
        open_place("s3://media").look()
    with pytest.raises(FileError, match=r"cannot be written: .*error sending request"):
        open_place("s3://media").create("a.txt", b"x")


@pytest.mark.parametrize("key", ["in//a.wav", "in/../a.wav", "in/tab\t.wav"])
def test_a_bucket_with_a_name_that_cannot_be_listed_says_which(
    key: str, aws: dict[str, str], bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3(aws, monkeypatch)
    bucket.put_object(Key=key, Body=b"x")
    bucket.put_object(Key="other/a.wav", Body=b"x")
    with pytest.raises(PlaceError, match="an object there has a name that cannot be used") as caught:
        list(open_place("s3://media").files(ALL))
    assert key in str(caught.value)
    assert [each.path for each in open_place("s3://media/other").files(ALL)] == ["a.wav"]


def test_a_path_that_is_too_long_is_told(aws: dict[str, str], bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    s3(aws, monkeypatch)
    bucket.put_object(Key="d" * 900 + ".wav", Body=b"x")
    [told] = open_place("s3://media").files(ALL)
    assert isinstance(told, Trouble)
    assert "longer than 800 bytes" in told.problem
