"""What a request says: its texts, and what else is shown in them."""

import json
from collections.abc import Iterator
from typing import Any

from sandbox import tokens

Message = dict[str, Any]


def messages_of(fields: dict[str, Any]) -> list[Message]:
    """Its messages; what is no message is left out."""
    found = fields.get("messages")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def parts(content: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a message's content, each as its type and its value."""
    if isinstance(content, str):
        yield "text", content
    for part in [content] if isinstance(content, dict) else content if isinstance(content, list) else []:
        if isinstance(part, dict) and (kind := str(part.get("type"))) in part:
            yield kind, part[kind]


def text_of(content: Any) -> str:
    return "\n".join(str(value) for kind, value in parts(content) if kind == "text")


def last_of(messages: list[Message], role: str) -> Message:
    return next((each for each in reversed(messages) if each.get("role") == role), {})


def shown(messages: list[Message], kind: str) -> list[str]:
    """The addresses, or the base64, of all parts of this kind: `image_url`, `video_url`, `file_url`."""
    found = [value for each in messages for name, value in parts(each.get("content")) if name == kind]
    return [str(value.get("url") if isinstance(value, dict) else value) for value in found]


def words_of(fields: dict[str, Any]) -> str:
    """All that it asks for in words: where a marker may stand."""
    said = [str(fields[name]) for name in ("prompt", "search_query", "url") if fields.get(name)]
    return "\n".join([*said, *(text_of(each.get("content")) for each in messages_of(fields))])


def count(messages: list[Message], tools: Any = None) -> dict[str, int]:
    """Tokens by what they are of, as the tokenizer's `usage` has them; the descriptions of tools are words too."""
    images = tokens.IMAGE_TOKENS * len(shown(messages, "image_url"))
    videos = tokens.VIDEO_TOKENS * len(shown(messages, "video_url"))
    texts = sum(tokens.count(text_of(each.get("content"))) + tokens.MESSAGE_TOKENS for each in messages)
    texts += tokens.count(json.dumps(tools)) if tools else 0
    return {
        "prompt_tokens": texts + images + videos,
        "image_tokens": images,
        "video_tokens": videos,
        "total_tokens": texts + images + videos,
    }
