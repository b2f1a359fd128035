"""One transcript of the texts of its pieces: no word lost and none doubled where they overlap. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from worker.audio.words import Spans, Word, placed, spelling

#: Times of words are estimates: how far from an overlap its words may seem to be, and two hearings of one apart.
SLACK_S = 3.0
#: Seconds over which a word outside the overlap counts less and less.
EDGE_S = 0.5
#: What a word costs that only one of the pieces heard, and what two hearings cost that are far apart:
#: of a word that is there once, and of one that is repeated.
ALONE_COST = 0.7
APART_COST = 0.5
APART_COST_REPEATED = 1.0
#: Words on one side of a seam: more are a recogniser's that repeats itself, and to align them takes their square.
MOST_ALIGNED = 300
#: Joined by words only if these many, of the words in the overlap, agree; else by time.
AGREEING = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a recording and what became of it.

    text: None where it failed; "" where there is nothing to hear.
    speech: where in it somebody speaks, from its own start.
    """

    start_s: float
    end_s: float
    text: str | None
    speech: Spans = ()
    #: Why there is no text.
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """What is missing from a transcript."""

    start_s: float
    end_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Words and gaps in the order of their times."""

    words: tuple[Word, ...]
    gaps: tuple[Gap, ...]
    length_s: float


def stitch(parts: Sequence[Part]) -> Transcript:
    """Put the pieces' texts together. `parts`: in the recording's order."""
    words: list[Word] = []
    for place, part in enumerate(parts):
        heard = placed(part.text or "", part.speech, start_s=part.start_s, length_s=part.end_s - part.start_s)
        before = parts[place - 1] if place else None
        if before and before.text and before.end_s > part.start_s:
            words = spliced(words, heard, part.start_s, before.end_s)
        else:
            words += heard
    return Transcript(
        words=tuple(in_order(words)),
        gaps=tuple(gaps(parts)),
        length_s=parts[-1].end_s if parts else 0.0,
    )


def gaps(parts: Sequence[Part]) -> list[Gap]:
    """Stretches that no piece has the text of; those that touch and have one reason are one."""
    found: list[Gap] = []
    for place, part in enumerate(parts):
        if part.text is not None:
            continue
        before = parts[place - 1] if place else None
        after = parts[place + 1] if place + 1 < len(parts) else None
        start_s = max(part.start_s, before.end_s) if before and before.text is not None else part.start_s
        end_s = min(part.end_s, after.start_s) if after and after.text is not None else part.end_s
        reason = part.error or "not transcribed"
        if found and found[-1].end_s >= start_s and found[-1].reason == reason:
            found[-1] = replace(found[-1], end_s=end_s)
        else:
            found.append(Gap(start_s, end_s, reason))
    return found


def spliced(before: list[Word], after: list[Word], start_s: float, end_s: float) -> list[Word]:
    """The words of two pieces that both hold the sound from start to end.

    They are joined at a word that both heard, near the middle: at its edges a piece may have heard half a word.
    """
    first = next((place for place, word in enumerate(before) if word.end_s > start_s - SLACK_S), len(before))
    past = next((place for place, word in enumerate(after) if word.start_s >= end_s + SLACK_S), len(after))
    tail, head = before[first:], after[:past]
    if not tail or not head:
        return before + after
    seam_s = (start_s + end_s) / 2
    pairs = aligned(tail, head, start_s, end_s) if max(len(tail), len(head)) <= MOST_ALIGNED else []
    inside = [sum(start_s <= word.middle_s <= end_s for word in words) for words in (tail, head)]
    if pairs and len(pairs) >= AGREEING * min(inside):
        left, right = min(pairs, key=lambda pair: abs(tail[pair[0]].middle_s + head[pair[1]].middle_s - 2 * seam_s))
        return before[: first + left + 1] + after[right + 1 :]
    if not min(inside):
        return before + after  # only one of them heard anything there
    return [word for word in before if word.middle_s < seam_s] + [word for word in after if word.middle_s >= seam_s]


def aligned(tail: Sequence[Word], head: Sequence[Word], start_s: float, end_s: float) -> list[tuple[int, int]]:
    """Pairs of places in `tail` and `head` that are hearings of the same word: the best alignment, as of strings.

    Words in the overlap should have a partner, words outside should have none. A word that is there only once
    counts wherever it seems to be; those that are repeated are told apart by their times.
    """
    spelled = [[spelling(word.text) for word in words] for words in (tail, head)]
    counts = [Counter(words) for words in spelled]

    def inside(word: Word) -> float:
        outside_s = max(start_s - word.middle_s, word.middle_s - end_s, 0.0)
        return max(1.0 - outside_s / EDGE_S, 0.0)

    def gain(left: int, right: int) -> float:
        text = spelled[0][left]
        apart_s = abs(tail[left].middle_s - head[right].middle_s)
        if text != spelled[1][right] or apart_s > SLACK_S:
            return float("-inf")
        if counts[0][text] == counts[1][text] == 1:
            return 1.0 - APART_COST * apart_s / (1.0 + apart_s)
        return min(inside(tail[left]), inside(head[right])) - APART_COST_REPEATED * apart_s / (1.0 + apart_s)

    # best[i][j]: the worth of tail[:i] against head[:j]
    best = [[0.0] * (len(head) + 1) for _ in range(len(tail) + 1)]
    for i in range(len(tail) + 1):
        for j in range(len(head) + 1):
            ways = [0.0] if i == j == 0 else []
            if i:
                ways.append(best[i - 1][j] - ALONE_COST * inside(tail[i - 1]))
            if j:
                ways.append(best[i][j - 1] - ALONE_COST * inside(head[j - 1]))
            if i and j:
                ways.append(best[i - 1][j - 1] + gain(i - 1, j - 1))
            best[i][j] = max(ways)
    pairs = []
    i, j = len(tail), len(head)
    while i and j:
        if best[i][j] == best[i - 1][j - 1] + gain(i - 1, j - 1):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif best[i][j] == best[i - 1][j] - ALONE_COST * inside(tail[i - 1]):
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def in_order(words: Sequence[Word]) -> list[Word]:
    """The words with times that never go back: estimates of two pieces may."""
    ordered: list[Word] = []
    at_s = 0.0
    for word in words:
        start_s = max(word.start_s, at_s)
        at_s = max(word.end_s, start_s)
        ordered.append(replace(word, start_s=start_s, end_s=at_s))
    return ordered
