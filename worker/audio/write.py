"""A transcript as text, JSON, SRT and WebVTT. Pure."""

import json
from collections.abc import Sequence

from worker.audio.cues import Cue, cues, marker, parted
from worker.audio.stitch import Transcript
from worker.audio.words import Word, joined

#: A silence after which plain text has a new paragraph.
PARAGRAPH_S = 2.0
LOOK_ALIKES = str.maketrans("<>{}", "‹›()")
ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


def to_text(transcript: Transcript) -> str:
    """A line for each paragraph, with an empty one between; gaps are paragraphs of their own."""
    gaps = [gap.start_s for gap in transcript.gaps]
    paragraphs: list[list[Word]] = []
    for word in transcript.words:
        before = paragraphs[-1][-1] if paragraphs else None
        if before and word.start_s - before.end_s < PARAGRAPH_S and not parted(before, word, gaps):
            paragraphs[-1].append(word)
        else:
            paragraphs.append([word])
    texts = [(words[0].start_s, joined(words)) for words in paragraphs]
    texts += [(gap.start_s, marker(gap)) for gap in transcript.gaps]
    return "\n".join(f"{text}\n" for _, text in sorted(texts))


def to_json(transcript: Transcript, problems: Sequence[str] = ()) -> str:
    """Everything that is known; times in seconds. Those of words are estimates. `problems`: of the recording."""
    return json.dumps(
        {
            "duration": round(transcript.length_s, 3),
            "text": joined(transcript.words),
            "complete": not transcript.gaps,
            "segments": [
                {"start": cue.start_ms / 1000, "end": cue.end_ms / 1000, "text": " ".join(cue.lines)}
                for cue in cues(transcript)
                if not cue.is_gap
            ],
            "words": [
                {"start": round(word.start_s, 3), "end": round(word.end_s, 3), "text": word.text}
                for word in transcript.words
            ],
            "gaps": [
                {"start": round(gap.start_s, 3), "end": round(gap.end_s, 3), "reason": gap.reason}
                for gap in transcript.gaps
            ],
            "problems": list(problems),
        },
        ensure_ascii=False,
        indent=1,
    )


def to_srt(transcript: Transcript) -> str:
    """SubRip. It has no way to write brackets that are none of its commands: they are shown by look-alikes."""
    return "\n".join(
        f"{number}\n{stamp(cue.start_ms, ',')} --> {stamp(cue.end_ms, ',')}\n{srt_text(cue)}\n"
        for number, cue in enumerate(cues(transcript), 1)
    )


def to_vtt(transcript: Transcript) -> str:
    """WebVTT."""
    return "WEBVTT\n" + "".join(
        f"\n{stamp(cue.start_ms, '.')} --> {stamp(cue.end_ms, '.')}\n{vtt_text(cue)}\n" for cue in cues(transcript)
    )


def stamp(at_ms: int, point: str) -> str:
    seconds, ms = divmod(at_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{ms:03d}"


def srt_text(cue: Cue) -> str:
    """Players take what is in angle brackets or braces as commands."""
    return "\n".join(cue.lines).translate(LOOK_ALIKES)


def vtt_text(cue: Cue) -> str:
    return "\n".join(cue.lines).translate(ESCAPES)
