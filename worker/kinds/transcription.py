"""Transcription of one piece of audio: a multipart POST whose answer is the text.

Limits (docs.z.ai/api-reference/audio): wav or mp3, at most 30 seconds and 25 MB.
"""

import io
import json
import math
from decimal import Decimal
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from provider.wire import Json, Request, Upload
from worker.kind import (
    Args,
    Cell,
    Checked,
    Intent,
    Kind,
    Model,
    Output,
    Outputs,
    Text,
    UnreadableAnswerError,
    read_args,
)

MAX_SECONDS = 30.0
MAX_BYTES = 25 * 1024 * 1024
MIMES = {".wav": "audio/wav", ".mp3": "audio/mpeg"}
#: Containers by PyAV's names for them.
FORMATS = {"wav": ".wav", "mp3": ".mp3"}


class TranscriptionArgs(Args):
    file: Text = Field(min_length=1)
    prompt: Text | None = Field(default=None, max_length=7999)
    hotwords: Annotated[list[Text] | None, Cell] = Field(default=None, max_length=100)
    # The seed's own fields: not in Z.AI's documents, sent as they are.
    language: Text | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] | None = None

    @field_validator("file")
    @classmethod
    def file_is_audio(cls, file: str, info: ValidationInfo) -> str:
        if file.startswith("s3://"):
            return file  # looked at before it is sent, by `check_upload`: it may not be readable from here
        context = info.context or {}
        path = Path(context.get("folder", "."), file).absolute()
        context["seconds"] = check_audio(path)
        return str(path)


def check_audio(path: Path) -> float:
    """The length in seconds. Raises ValueError where the API would refuse the file."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if not path.is_file():
        raise ValueError("is no file")
    check_size(size)
    try:
        with path.open("rb") as file:
            return check_sound(file)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None


def check_upload(data: bytes) -> None:
    """Just before it is sent: what is in a bucket was not seen before, and a local file may have changed."""
    check_size(len(data))
    check_sound(io.BytesIO(data))


def check_size(size: int) -> None:
    if size == 0:
        raise ValueError("is empty")
    if size > MAX_BYTES:
        raise ValueError(
            f"is {size / 1024**2:.1f} MB; the API takes 25 MB at most, and long recordings are not cut here yet"
        )


def check_sound(file: IO[bytes]) -> float:
    """The length in seconds. Raises ValueError where it is no sound that the API takes."""
    import av  # noqa: PLC0415 - 100 ms and FFmpeg's libraries, for this kind alone

    try:
        with av.open(file) as container:
            if container.format.name not in FORMATS:
                raise ValueError(f"is {container.format.name}; the API takes wav and mp3")
            if not container.streams.audio:
                raise ValueError("has no audio track")
            seconds = decoded_seconds(container)
    except av.FFmpegError as error:
        raise ValueError(f"is no readable audio: {getattr(error, 'strerror', None) or error}") from None
    if not seconds:
        raise ValueError("has no sound in it")
    if seconds > MAX_SECONDS:
        raise ValueError(
            f"is {seconds:.1f} s long; the API takes 30 s at most, and long recordings are not cut here yet"
        )
    return seconds


def decoded_seconds(container: Any) -> float:
    """The true length: headers lie, and a truncated file may decode for a while."""
    samples = 0
    rate = 0
    for frame in container.decode(audio=0):
        samples += frame.samples
        rate = frame.sample_rate
        if samples > MAX_SECONDS * 4 * rate:
            break  # long enough to refuse
    return samples / rate if rate else 0.0


def check(row: dict[str, Any], folder: Path) -> Checked:
    """The price is by the minute; a file that is elsewhere counts as the longest that the API takes."""
    context: dict[str, Any] = {"folder": folder, "seconds": MAX_SECONDS}
    args, warnings = read_args(TranscriptionArgs, row, KIND, context=context)
    return Checked([args.stored()], warnings, units=Decimal(math.ceil(context["seconds"])) / 60)


def request(args: Json, intent: Intent) -> Request:
    """The file goes up under a name that no other upload has: the proxy keeps uploads by name in one folder."""
    suffix = Path(args["file"]).suffix.lower()
    suffix = suffix if suffix in MIMES else ".wav"
    form = {name: as_form(value) for name, value in args.items() if name != "file"}
    return Request(
        endpoint="transcription",
        form={**form, "request_id": intent.request_id},
        upload=Upload(filename=f"{intent.job_id}-{intent.request_id}{suffix}", mime=MIMES[suffix], source=args["file"]),
        read_timeout_s=300.0,
    )


def as_form(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read(answer: Json) -> Outputs:
    text = answer.get("text")
    if not isinstance(text, str):
        raise UnreadableAnswerError("the answer has no `text`")
    text = text.replace("\x00", "")
    raw = json.dumps(answer, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    return Outputs(
        [
            Output(role="text", suffix=".txt", mime="text/plain", data=text.encode("utf-8", "replace"), text=text),
            Output(role="json", suffix=".json", mime="application/json", data=raw),
        ]
    )


KIND = Kind(
    name="transcription",
    default_model="glm-asr-2512",
    # The price of a minute: docs.z.ai/guides/overview/pricing.md. No concurrency is published.
    models={"glm-asr-2512": Model(Decimal("0.0024"))},
    believed_s=3.0,  # nothing is published
    fields=sorted(TranscriptionArgs.model_fields),
    check=check,
    request=request,
    read=read,
    check_upload=check_upload,
    max_upload_bytes=MAX_BYTES,
)
