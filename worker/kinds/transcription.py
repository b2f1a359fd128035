"""Transcription: a multipart POST whose answer is the text.

Limits of a call (docs.z.ai/api-reference/audio): wav or mp3, at most 30 seconds and 25 MB. What is within them is
one job and goes as it is; any other recording is cut into pieces, jobs of this kind as well.
"""

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from models.limit import CUT
from provider.wire import Json, Request, Upload
from worker.folders import Files, file_in, placed
from worker.kind import (
    Args,
    Cell,
    Checked,
    Intent,
    Kind,
    Model,
    NotBool,
    Output,
    Outputs,
    Text,
    UnreadableAnswerError,
    folder_of,
    read_args,
)
from worker.references import is_reference

MAX_SECONDS = 30.0
MAX_BYTES = 25 * 1024 * 1024
MIMES = {".wav": "audio/wav", ".mp3": "audio/mpeg"}


#: How long pieces are, about: they end in pauses.
PIECE_S = 27.0
#: Fields that are not sent, and none of a piece's.
OURS = frozenset({"file", "context", "pieces", "seconds", "sha256"})
#: Formats of which a server that heeds them may send the text alone; the last two have its times in it.
PLAIN = frozenset({"text", "srt", "vtt"})
TIMED = PLAIN - {"text"}
#: Role, suffix, type.
SRT, VTT = ("srt", ".srt", "application/x-subrip"), ("vtt", ".vtt", "text/vtt")


class TranscriptionArgs(Args):
    file: Text = Field(min_length=1)
    prompt: Text | None = Field(default=None, max_length=7999)
    hotwords: Annotated[list[Text] | None, Cell] = Field(default=None, max_length=100)
    stream: bool | None = None
    # The seed's own fields: not in Z.AI's documents, sent as they are.
    language: Text | None = None
    temperature: Annotated[float, NotBool] | None = Field(default=None, ge=0, le=2)
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] | None = None

    # Of recordings that are longer than a call: not sent.
    #: Each piece is told the text of the one before it, which makes them sequential.
    context: bool | None = None
    pieces: Literal["wav", "mp3"] | None = None

    @field_validator("file")
    @classmethod
    def file_is_audio(cls, file: str, info: ValidationInfo) -> str:
        context = info.context if info.context is not None else {}
        file = placed(folder_of(info), file)
        if file.startswith("s3://") or is_reference(file):
            context["sound"] = Sound(MAX_SECONDS, one_call=False)  # it may not be readable from here
            return file
        path = file_in(folder_of(info), file)
        context["sound"] = look(path)
        return str(path)


@dataclass(frozen=True, slots=True)
class Sound:
    """What is known of a recording before it is heard. `one_call`: the API takes it as it is."""

    seconds: float
    one_call: bool


def look(path: Path) -> Sound:
    """The length, counted if the API might take the file, else by its header. Raises ValueError: no sound in it."""
    from worker.audio.decode import Recording, UnreadableAudioError  # noqa: PLC0415 - FFmpeg, for this kind alone
    from worker.audio.plan import goes_as_it_is  # noqa: PLC0415 - as above

    try:
        with Recording(path) as recording:
            declared_s = recording.declared_s or 0.0
            if declared_s > MAX_SECONDS * 2:
                return Sound(declared_s, one_call=False)
            # Headers lie: what seems short is counted, as far as a few calls' length.
            length_s = recording.length_s(at_most_s=MAX_SECONDS * 4)
            size = path.stat().st_size
            one_call = goes_as_it_is(
                recording.container, length_s=length_s, size_bytes=size, max_s=MAX_SECONDS, max_bytes=MAX_BYTES
            )
            # What is not whole is cut, which takes what can be read, and says so.
            return Sound(length_s, one_call and recording.is_whole(length_s))
    except UnreadableAudioError as error:
        raise ValueError(str(error)) from None


def check_upload(data: bytes) -> None:
    """Just before it is sent: what is in a bucket was not seen before, and a local file may have changed."""
    if not data:
        raise ValueError("is empty")
    if len(data) > MAX_BYTES:
        raise ValueError(f"is {len(data) / 1024**2:.1f} MB; the API takes 25 MB at most")


def check(row: dict[str, Any], folder: Files) -> Checked:
    """The price is by the minute; a file that is elsewhere counts as the longest call."""
    context: dict[str, Any] = {"folder": folder}
    args, warnings = read_args(TranscriptionArgs, row, KIND, context=context)
    sound: Sound = context["sound"]
    units = Decimal(math.ceil(sound.seconds)) / 60
    stored = args.stored()
    if sound.one_call:
        stored["seconds"] = round(sound.seconds, 3)  # for the subtitles: the answer does not tell
        return Checked([stored], warnings, units=units)
    if stored.get("response_format") in TIMED:
        warnings.append(
            f"response_format: {stored.pop('response_format')} is not asked of pieces; it is made of the whole"
        )
    return Checked([stored], warnings, units=units, limit=CUT, calls=max(1, round(sound.seconds / PIECE_S)))


def request(args: Json, intent: Intent) -> Request:
    """The file goes up under a name that no other upload has: the proxy keeps uploads by name in one folder."""
    suffix = Path(args["file"]).suffix.lower()
    suffix = suffix if suffix in MIMES else ".wav"
    form = {name: as_form(value) for name, value in args.items() if name not in OURS}
    return Request(
        endpoint="transcription",
        form={**form, "request_id": intent.request_id},
        upload=Upload(filename=f"{intent.job_id}-{intent.request_id}{suffix}", mime=MIMES[suffix], source=args["file"]),
        read_timeout_s=300.0,
        plain=args.get("response_format") in PLAIN and not args.get("stream"),
        stream=bool(args.get("stream")),
    )


def as_form(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def read(answer: Json, args: Json) -> Outputs:
    text = answer.get("text")
    if not isinstance(text, str):
        raise UnreadableAnswerError("the answer has no `text`")
    text = text.replace("\x00", "")
    raw = json.dumps(answer, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    return Outputs(
        [
            Output(role="text", suffix=".txt", mime="text/plain", data=text.encode("utf-8", "replace"), text=text),
            Output(role="json", suffix=".json", mime="application/json", data=raw),
            *(subtitles(text, args["seconds"]) if "seconds" in args else ()),
        ]
    )


def subtitles(text: str, seconds: float) -> list[Output]:
    """Of a recording that was one call. A piece has none: its recording has.

    A text that has times of its own, as was asked for with `response_format`, is one of them as it is.
    """
    if "-->" in text:
        role, suffix, mime = VTT if text.lstrip().startswith("WEBVTT") else SRT
        return [Output(role=role, suffix=suffix, mime=mime, data=text.encode("utf-8", "replace"))]
    from worker.audio.stitch import Part, stitch  # noqa: PLC0415 - numpy, for this kind alone
    from worker.audio.write import to_srt, to_vtt  # noqa: PLC0415 - as above

    made = stitch([Part(start_s=0.0, end_s=seconds, text=text)])
    return [
        Output(role=role, suffix=suffix, mime=mime, data=data.encode("utf-8", "replace"))
        for (role, suffix, mime), data in ((SRT, to_srt(made)), (VTT, to_vtt(made)))
    ]


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
    makes=("text", "json", "srt", "vtt"),
    files=frozenset({"file"}),
    check_upload=check_upload,
    max_upload_bytes=MAX_BYTES,
)
