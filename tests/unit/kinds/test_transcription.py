from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from sandbox.tones import speak, wav
from worker.kind import Intent, Outputs
from worker.kinds.transcription import KIND

ROOT = Path(__file__).parents[3]


def test_wav_and_mp3_by_a_path_relative_to_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(speak(["amber"])))
    [args] = KIND.check({"file": "a.wav", "language": "en", "temperature": "0.2"}, tmp_path).jobs
    assert args == {"model": "glm-asr-2512", "file": str(tmp_path / "a.wav"), "language": "en", "temperature": 0.2}
    assert KIND.check({"file": "harbour.mp3"}, ROOT / "examples" / "audio").jobs


BAD = {
    "absent": (None, "cannot be read: No such file"),
    "empty": (b"", "is empty"),
    "no audio": (b"this is text" * 100, "is no readable audio"),
    "too long": (wav(np.zeros(16000 * 31, np.float32)), "is 31.0 s long; the API takes 30 s at most"),
    "no sound in it": (wav(np.zeros(0, np.float32)), "has no sound in it"),
    "too large": (wav(np.zeros(13 * 1024**2 + 16000, np.float32)), "the API takes 25 MB at most"),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_bad_files_are_refused_before_they_cost(tmp_path: Path, data: bytes | None, message: str) -> None:
    if data is not None:
        (tmp_path / "a.wav").write_bytes(data)
    with pytest.raises(ValidationError, match=message):
        KIND.check({"file": "a.wav"}, tmp_path)
    if data is not None and KIND.check_upload:
        with pytest.raises(ValueError, match=message):
            KIND.check_upload(data)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="is no file"):
        KIND.check({"file": "."}, tmp_path)


def test_each_upload_has_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(speak(["amber"])))
    [args] = KIND.check({"file": "a.wav", "hotwords": '["a", "b"]'}, tmp_path).jobs
    requests = [KIND.request(args, Intent(job_id=7, request_id=each)) for each in ("r1", "r2")]
    names = [request.upload.filename for request in requests if request.upload]
    assert names == ["7-r1.wav", "7-r2.wav"]
    assert requests[0].form == {"model": "glm-asr-2512", "hotwords": '["a", "b"]', "request_id": "r1"}


def test_objects_in_a_bucket_pass_and_count_as_the_longest(tmp_path: Path) -> None:
    assert KIND.check({"file": "s3://bucket/a.mp3"}, tmp_path).units == Decimal("0.5")


def test_text_and_raw_answer_are_kept() -> None:
    result = KIND.read({"id": "1", "text": "héllo\x00", "extra": [1]})
    assert isinstance(result, Outputs)
    text, raw = result.outputs
    assert (text.text, text.data) == ("héllo", "héllo".encode())
    assert raw.data is not None
    assert b'"extra"' in raw.data
