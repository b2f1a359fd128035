"""How many tokens a text has: about as many as the models' own tokenizers find, and the same each time."""

import re

#: A Chinese character, up to six letters or digits of a word, or a sign.
TOKEN = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]{1,6}|[^\w\s]")
#: Of an image or a video that is shown to a model, whatever its size.
IMAGE_TOKENS, VIDEO_TOKENS = 1000, 4000
#: Of each message, beside its words.
MESSAGE_TOKENS = 4


def count(text: str) -> int:
    return sum(1 for _ in TOKEN.finditer(text))


def first(text: str, tokens: int) -> str:
    """The text's start, of so many tokens at most."""
    ends = [found.end() for found in TOKEN.finditer(text)]
    return text if len(ends) <= tokens else text[: ends[tokens - 1] if tokens else 0]
