from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from sandbox.recordings import record
from sandbox.tones import speak, wav
from worker.kind import Intent, Outputs
from worker.kinds.transcription import KIND

ROOT = Path(__file__).parents[3]


def test_wav_and_mp3_by_a_path_relative_to_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(speak(["amber"])))
    [args] = KIND.check({"file": "a.wav", "language": "en", "temperature": "0.2"}, tmp_path).jobs
    assert args == {"model": "glm-asr-2512", "file": str(tmp_path / "a.wav"), "language": "en", "temperature": 0.2,
                    "seconds": 0.34}  # fmt: skip
    assert KIND.check({"file": "harbour.mp3"}, ROOT / "examples" / "audio").jobs


BAD = {
    "absent": (None, "cannot be read: No such file"),
    "empty": (b"", "is empty"),
    "no audio": (b"this is text" * 100, "is no readable audio"),
    "no sound in it": (wav(np.zeros(0, np.float32)), "has no sound in it"),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_bad_files_are_refused_before_they_cost(tmp_path: Path, data: bytes | None, message: str) -> None:
    if data is not None:
        (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(ValidationError, match=message):
        KIND.check({"file": "a.wav"}, tmp_path)


@pytest.mark.parametrize(("data", "message"), [(b"", "is empty"), (bytes(26 * 1024**2), "takes 25 MB at most")])
def test_what_the_api_would_refuse_is_not_sent(data: bytes, message: str) -> None:
    assert KIND.check_upload
    with pytest.raises(ValueError, match=message):
        KIND.check_upload(data)


@pytest.mark.parametrize(
    ("name", "seconds", "limit"),
    [("a.wav", 30, None), ("a.mp3", 29, None), ("a.wav", 31, "cut"), ("a.m4a", 5, "cut"), ("a.wav", 900, "cut")],
)
def test_what_is_more_than_one_call_is_to_be_cut(tmp_path: Path, name: str, seconds: int, limit: str | None) -> None:
    record(tmp_path / name, [np.zeros(16000 * seconds, np.float32)])
    found = KIND.check({"file": name}, tmp_path)
    assert found.limit == limit
    assert abs(found.units - Decimal(seconds) / 60) <= Decimal(1) / 60


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="is no file"):
        KIND.check({"file": "."}, tmp_path)


@pytest.mark.parametrize("file", ["s3://", "s3://bucket", "s3://bucket/", "s3:///name", "s3://bucket/folder/"])
def test_a_bucket_alone_is_no_file(tmp_path: Path, file: str) -> None:
    with pytest.raises(ValueError, match="names no object; write it as s3://bucket/name"):
        KIND.check({"file": file}, tmp_path)


def test_each_upload_has_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(speak(["amber"])))
    [args] = KIND.check({"file": "a.wav", "hotwords": '["a", "b"]'}, tmp_path).jobs
    requests = [KIND.request(args, Intent(job_id=7, request_id=each)) for each in ("r1", "r2")]
    names = [request.upload.filename for request in requests if request.upload]
    assert names == ["7-r1.wav", "7-r2.wav"]
    assert requests[0].form == {"model": "glm-asr-2512", "hotwords": '["a", "b"]', "request_id": "r1"}


def test_objects_in_a_bucket_pass_and_count_as_the_longest(tmp_path: Path) -> None:
    found = KIND.check({"file": "s3://bucket/a.mp3"}, tmp_path)
    assert (found.units, found.limit) == (Decimal("0.5"), "cut")


def test_formats_that_come_as_a_text_alone(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(speak(["amber"])))

    def asked(**more: object) -> tuple[str | None, bool]:
        [args] = KIND.check({"file": "a.wav", **more}, tmp_path).jobs
        request = KIND.request(args, Intent(job_id=7, request_id="r"))
        assert request.form is not None
        return request.form.get("response_format"), request.plain

    assert asked() == (None, False)
    assert asked(response_format="json") == ("json", False)
    assert asked(response_format="srt") == ("srt", True)
    assert asked(response_format="text", stream=True) == ("text", False)  # events are no text alone
    srt = {"seconds": 2.5, "response_format": "srt"}
    timed, ignored = (KIND.read({"text": text}, srt) for text in ("1\n00:00:00,000 --> 00:00:01,000\na", "a"))
    assert isinstance(timed, Outputs)
    assert isinstance(ignored, Outputs)
    assert [each.role for each in timed.outputs] == ["text", "json", "srt"]
    assert [each.role for each in ignored.outputs] == ["text", "json", "srt", "vtt"]


def test_pieces_have_no_times_of_their_own(tmp_path: Path) -> None:
    found = KIND.check({"file": "s3://bucket/a.mp3", "response_format": "srt"}, tmp_path)
    assert "response_format" not in found.jobs[0]
    assert found.warnings == ["response_format: srt is not asked of pieces; it is made of the whole"]


def test_text_and_raw_answer_are_kept() -> None:
    result = KIND.read({"id": "1", "text": "héllo\x00", "extra": [1]}, {})
    assert isinstance(result, Outputs)
    text, raw = result.outputs  # of a piece: the whole recording has subtitles
    assert (text.text, text.data) == ("héllo", "héllo".encode())
    assert raw.data is not None
    assert b'"extra"' in raw.data


def test_what_is_one_call_has_subtitles_too() -> None:
    result = KIND.read({"text": "It rains."}, {"seconds": 2.5})
    assert isinstance(result, Outputs)
    assert [each.role for each in result.outputs] == ["text", "json", "srt", "vtt"]
    assert result.outputs[2].data == b"1\n00:00:00,000 --> 00:00:02,500\nIt rains.\n"
