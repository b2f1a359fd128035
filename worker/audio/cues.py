"""Subtitles from words: what is on the screen at once, and for how long. Pure."""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate

from worker.audio.stitch import Gap, Transcript
from worker.audio.words import Word, joined

#: Columns of a line and lines of a cue, as subtitles have them; a wide character takes two columns.
COLUMNS = 42
LINES = 2
#: Seconds that a cue stays at most, and at least where nothing follows.
LONGEST_S = 7.0
SHORTEST_S = 1.0
#: A silence after which a new cue begins.
PAUSE_S = 0.8
#: A sentence of fewer columns shares its cue with the next one.
SENTENCE_COLUMNS = 24
SENTENCE_ENDS = ".!?…。！？"
CLAUSE_ENDS = ",;:–—、，；："
CLOSING = "\"'”’»)]」』）"


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines shown from start to end, in whole milliseconds; a gap's cue says so itself."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    is_gap: bool = False


@lru_cache(maxsize=10_000)  # most words come again and again
def columns(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def cues(transcript: Transcript) -> list[Cue]:
    """The cues in order; none overlaps the next, and every word is in one of them."""
    groups: list[tuple[float, float, tuple[str, ...], bool]] = [
        (each[0].start_s, min(each[-1].end_s, each[0].start_s + LONGEST_S), wrapped(each), False)
        for each in grouped(transcript)
    ]
    groups += [(gap.start_s, gap.end_s, marked(gap), True) for gap in transcript.gaps]
    found: list[Cue] = []
    for start_s, end_s, lines, is_gap in sorted(groups):
        start_ms, end_ms = round(start_s * 1000), round(end_s * 1000)
        if found and found[-1].end_ms > start_ms:
            if found[-1].start_ms < start_ms:
                found[-1] = replace(found[-1], end_ms=start_ms)
            else:
                start_ms = found[-1].end_ms
        found.append(Cue(start_ms, max(end_ms, start_ms + 1), lines, is_gap))
    return lengthened(found)


def lengthened(found: Sequence[Cue]) -> list[Cue]:
    """Cues that are too short to be read stay on until the next one, or long enough."""
    starts = [cue.start_ms for cue in found[1:]]
    wanted = [max(cue.end_ms, cue.start_ms + round(SHORTEST_S * 1000)) for cue in found]
    ends = [min(end, start) for end, start in zip(wanted, [*starts, *wanted[-1:]], strict=True)]
    return [replace(cue, end_ms=max(end, cue.end_ms)) for cue, end in zip(found, ends, strict=True)]


def marker(gap: Gap) -> str:
    """In one line: an API's reason may have several, and an empty one among them would end a subtitle."""
    return f"[{clock(gap.start_s)}–{clock(gap.end_s)}: {' '.join(gap.reason.split())}]"


def marked(gap: Gap) -> tuple[str, ...]:
    """A gap's marker as it is shown, cut short where it is long; all of it is in the text and the JSON."""
    words = [Word(each, bool(at), gap.start_s, gap.end_s) for at, each in enumerate(marker(gap).split())]
    words = [part for whole in words for part in narrowed(whole)]
    while len(wrapped(words)) > LINES:
        words = [*words[:-2], replace(words[-2], text="…]")]
    return wrapped(words)


def clock(at_s: float) -> str:
    minutes, seconds = divmod(int(at_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"


def grouped(transcript: Transcript) -> Iterator[list[Word]]:
    """Words that are shown together."""
    held: list[Word] = []
    gaps = [gap.start_s for gap in transcript.gaps]
    for word in (part for whole in transcript.words for part in narrowed(whole)):
        if held and (is_over(held, word) or parted(held[-1], word, gaps)):
            yield held
            held = []
        while held and not fits([*held, word]):
            shown, held = broken(held)
            yield shown
        held.append(word)
    if held:
        yield held


def parted(before: Word, word: Word, gaps: Sequence[float]) -> bool:
    """Whether a gap begins between two words. `gaps`: their starts, in order."""
    return bisect_right(gaps, before.start_s) != bisect_right(gaps, word.start_s)


def narrowed(word: Word) -> list[Word]:
    """A word that is wider than a line, in parts that are not."""
    parts: list[str] = []
    width = COLUMNS + 1
    for char in word.text:
        width += columns(char)
        if width > COLUMNS:
            parts.append("")
            width = columns(char)
        parts[-1] += char
    step_s = (word.end_s - word.start_s) / len(parts)
    return [
        Word(text, word.spaced and not at, word.start_s + at * step_s, word.start_s + (at + 1) * step_s)
        for at, text in enumerate(parts)
    ]


def is_over(held: Sequence[Word], word: Word) -> bool:
    """Whether a cue has come to its end before this word."""
    if word.start_s - held[-1].end_s >= PAUSE_S:
        return True
    return ends_with(held[-1], SENTENCE_ENDS) and columns(joined(held)) >= SENTENCE_COLUMNS


def ends_with(word: Word, marks: str) -> bool:
    return word.text.rstrip(CLOSING).endswith(tuple(marks))


def fits(words: Sequence[Word]) -> bool:
    return words[-1].end_s - words[0].start_s <= LONGEST_S and len(wrapped(words)) <= LINES


def broken(held: list[Word]) -> tuple[list[Word], list[Word]]:
    """A full cue as what is shown now and what is shown with the next: broken after a clause where one ends late."""
    for place in range(len(held) - 1, len(held) // 2, -1):
        if ends_with(held[place - 1], SENTENCE_ENDS + CLAUSE_ENDS):
            return held[:place], held[place:]
    return held, []


def wrapped(words: Sequence[Word]) -> tuple[str, ...]:
    """Lines within the columns; two of them about as long as each other."""
    # Up to the end of each word, were all on one line.
    ends = list(accumulate(columns(word.text) + (word.spaced and at > 0) for at, word in enumerate(words)))
    if ends[-1] <= COLUMNS:
        return (joined(words),)
    longer = [max(end, ends[-1] - end - word.spaced) for end, word in zip(ends, words[1:], strict=False)]
    if longer and min(longer) <= COLUMNS:
        place = longer.index(min(longer)) + 1
        return joined(words[:place]), joined(words[place:])
    lines: list[list[Word]] = []
    for word in words:
        if lines and columns(joined([*lines[-1], word])) <= COLUMNS:
            lines[-1].append(word)
        else:
            lines.append([word])
    return tuple(map(joined, lines))
