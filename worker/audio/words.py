"""The words of a text, and when each was said: told from where in its piece somebody speaks. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Scripts written without spaces: each character counts as a word (Thai to Myanmar, kana, Han, wide forms).
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
TOKEN = re.compile(rf"[{UNSPACED}][^\w\s]*|[^\s{UNSPACED}]+|[\u0e00-\u0eff]")
ALONE = re.compile(f"[{UNSPACED}]")
#: How much longer than a letter these take to say.
SYLLABLE = 3
#: After these a pause is likely; so much is it worth, in seconds that words may fit worse.
STOPS = ".,;:!?…。，、；：！？"
STOP_WORTH = 0.1
#: Words that nobody says in a second: a recogniser that repeats itself. When each was said is then no matter, and to
#: fit them takes the square of their number.
MOST_A_SECOND = 20
#: Seconds of misfit that count little, however short the span.
EASE_S = 0.3

Spans = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Token:
    """A word as it is written, its punctuation included. `spaced`: there is a space before it."""

    text: str
    spaced: bool


@dataclass(frozen=True, slots=True)
class Word:
    """A token and when it was said, in seconds from the recording's start."""

    text: str
    spaced: bool
    start_s: float
    end_s: float

    @property
    def middle_s(self) -> float:
        return (self.start_s + self.end_s) / 2


def tokens(text: str) -> list[Token]:
    """The words of a text; what cannot be shown is left out."""
    shown = "".join(char if shows(char) else " " for char in text)
    found: list[Token] = []
    for chunk in shown.split():
        for place, match in enumerate(TOKEN.findall(chunk)):
            # A text's first word too: what it follows is the text of another piece.
            found.append(Token(match, spaced=place == 0 and (bool(found) or not ALONE.match(match))))
    return found


def shows(char: str) -> bool:
    return unicodedata.category(char) not in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}


def joined(words: Sequence[Token | Word]) -> str:
    return "".join(" " * (word.spaced and place > 0) + word.text for place, word in enumerate(words))


def spelling(text: str) -> str:
    """What two hearings of one word have in common: its letters, without case and punctuation."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold()) or text


def weight(token: Token) -> int:
    """How long a word takes to say, in letters and one for its start."""
    return 1 + sum(SYLLABLE if char.isdigit() or ALONE.match(char) else 1 for char in spelling(token.text))


def placed(text: str, speech: Spans, *, start_s: float, length_s: float) -> list[Word]:
    """When the words of a piece were said.

    The provider tells no times. Words take time by their letters, while somebody speaks, and none is said across
    a pause. `speech`: from the piece's own start; where nothing was heard the whole piece counts.
    """
    found = tokens(text)
    spans = list(speech) or [(0.0, length_s)]
    if len(found) > MOST_A_SECOND * max(length_s, 1.0):
        spans = [(spans[0][0], spans[-1][1])]
    return [
        word
        for (first_s, last_s), share in zip(spans, shared(found, spans), strict=True)
        for word in spread(share, start_s + first_s, start_s + last_s)
    ]


def shared(words: Sequence[Token], spans: Spans) -> list[Sequence[Token]]:
    """Which words were said in which span: in order, as their lengths fit best, rather with a stop before a pause."""
    if len(spans) == 1:
        return [words]
    lengths = [end - start for start, end in spans]
    said = np.cumsum([0, *map(weight, words)]) * (sum(lengths) / max(sum(map(weight, words)), 1))
    stops = np.array([False, *(word.text[-1] in STOPS for word in words)])
    stops[[0, -1]] = True
    # best[j]: the misfit of the first j words in the spans so far; came[i][j]: where span i begins then.
    best = np.where(np.arange(len(words) + 1) == 0, 0.0, np.inf)
    came = []
    between = said[:, None] - said[None, :]  # from word k (column) to word j (row)
    allowed = np.tri(len(words) + 1, dtype=np.bool_)
    for length in lengths:
        misfit = (between - length) ** 2 / (length + EASE_S) + np.where(stops, 0.0, STOP_WORTH)[:, None]
        ways = np.where(allowed, best[None, :] + misfit, np.inf)
        came.append(ways.argmin(axis=1))
        best = ways.min(axis=1)
    shares: list[Sequence[Token]] = []
    end = len(words)
    for starts in reversed(came):
        shares.append(words[starts[end] : end])
        end = int(starts[end])
    return shares[::-1]


def spread(share: Sequence[Token], start_s: float, end_s: float) -> list[Word]:
    """Words one after another from start to end."""
    total = sum(map(weight, share))
    words = []
    said = 0
    for token in share:
        starts_s = start_s + (end_s - start_s) * said / total
        said += weight(token)
        ends_s = start_s + (end_s - start_s) * said / total
        words.append(Word(token.text, token.spaced, round(starts_s, 3), round(ends_s, 3)))
    return words
