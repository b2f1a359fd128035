"""Puts the texts of a recording's pieces together: one transcript, as text, JSON and subtitles."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine

from models import recordings
from models.state import JobState
from provider.wire import Json
from worker.audio.sound import seconds
from worker.audio.stitch import Part, stitch
from worker.audio.write import to_json, to_srt, to_text, to_vtt
from worker.kind import Output, Outputs

#: Failed pieces that an error message names.
NAMED = 3


def transcript_of(engine: Engine, recording: int, about: Json) -> Outputs:
    """The outputs of a recording whose pieces have all ended. `about`: what was found when it was cut."""
    with engine.connect() as conn:
        rows = recordings.parts(conn, recording)
    return together(rows, about.get("problems") or [])


def together(rows: Sequence[Any], problems: Sequence[str]) -> Outputs:
    """Pure. `rows`: as `recordings.parts` has them."""
    made = stitch([part(row) for row in rows])
    text = to_text(made)
    return Outputs(
        [
            written("text", ".txt", "text/plain", text, text=text.strip()),
            written("json", ".json", "application/json", to_json(made, problems)),
            written("srt", ".srt", "application/x-subrip", to_srt(made)),
            written("vtt", ".vtt", "text/vtt", to_vtt(made)),
        ],
        missing=missing(rows),
    )


def part(row: Any) -> Part:
    return Part(
        start_s=seconds(row.begins),
        end_s=seconds(row.ends),
        text=row.text,
        speech=[(start, end) for start, end in row.speech],
        error=reason(row) if row.text is None else None,
    )


def reason(row: Any) -> str:
    if row.state == JobState.CANCELLED:
        return "cancelled"
    return f"{row.error_message} ({row.error_code})" if row.error_code else "not transcribed"


def missing(rows: Sequence[Any]) -> str | None:
    """What has no text, in words; None if all has."""
    lost = [row for row in rows if row.text is None]
    if not lost:
        return None
    named = ", ".join(f"{clock(row.begins)}-{clock(row.ends)} {reason(row)}" for row in lost[:NAMED])
    more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
    return f"{len(lost)} of {len(rows)} pieces have no text: {named}{more}; `retry` runs only these again"


def clock(samples: int) -> str:
    """Hours, minutes and seconds.

    >>> clock(16000 * 3723)
    '1:02:03'
    """
    minutes, whole = divmod(int(seconds(samples)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{whole:02d}"


def written(role: str, suffix: str, mime: str, content: str, *, text: str | None = None) -> Output:
    return Output(role=role, suffix=suffix, mime=mime, data=content.encode("utf-8", "replace"), text=text)
