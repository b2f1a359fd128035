"""The messages that chats and agents are given: checked, with the images in them found.

Shapes: docs.z.ai/api-reference/llm/chat-completion and /agents/agent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provider.wire import Json
from worker.folders import Files
from worker.images import located, sendable
from worker.references import is_reference
from worker.wording import PartError, shown

#: docs.z.ai, vision models: an image of 5 MB at most.
MAX_IMAGE_BYTES = 5 * 1024**2
#: The documentation names no limit; a longer prompt is a mistake in the file.
MAX_PROMPT = 2_000_000
ROLES = ("system", "user", "assistant", "tool")
#: Said by nobody who asks for anything.
SILENT = frozenset({"system", "assistant"})


@dataclass(frozen=True, slots=True)
class Shape:
    """What a message's content may be. `parts`: types of its parts; `nested`: a part's URL lies in an object."""

    parts: tuple[str, ...]
    nested: bool


CHAT = Shape(("text", "image_url", "video_url", "file_url"), nested=True)
AGENT = Shape(("text", "image_url", "file_url", "file_id"), nested=False)


def checked(messages: list[Any], folder: Files, shape: Shape) -> list[Json]:
    """The messages as they are kept; paths of images start from `folder`. Raises ValueError."""
    if not messages:
        raise ValueError("is empty; give at least a message of a user")
    found = []
    for number, message in enumerate(messages, 1):
        try:
            found.append(checked_message(message, folder, shape))
        except ValueError as error:
            raise PartError(f"message {number} {error}") from None
    if SILENT.issuperset(each["role"] for each in found):
        raise ValueError("has no message of a user or a tool; add one")
    return found


def checked_message(message: Any, folder: Files, shape: Shape) -> Json:
    if not isinstance(message, dict):
        raise ValueError(  # noqa: TRY004 - of the value, for pydantic
            f'is {shown(message)}; write it as {{"role": "user", "content": "…"}}'
        )
    if (role := message.get("role")) not in ROLES:
        raise ValueError(f"has the role {shown(role)}; roles are {', '.join(ROLES)}")
    calls = message.get("tool_calls")
    if calls is not None and not (isinstance(calls, list) and all(isinstance(each, dict) for each in calls)):
        raise ValueError(f"has tool_calls {shown(calls)}; give a list of objects, as the model's answer had them")
    content = message.get("content")
    match content:
        case str() if content.strip():
            return message
        case list() if content:
            return {**message, "content": [checked_part(each, folder, shape) for each in content]}
        case dict() if not shape.nested:
            return {**message, "content": checked_part(content, folder, shape)}
        case None | "" if calls:
            return message
    raise ValueError("has no content; give it text, or a list of parts")


def checked_part(part: Any, folder: Files, shape: Shape) -> Json:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in shape.parts:
        raise ValueError(f"has a part of type {shown(kind)}; types are {', '.join(shape.parts)}")
    value = part.get(kind)
    if shape.nested and kind != "text":
        value = value.get("url") if isinstance(value, dict) else value
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"has a part of type {kind!r} without its {kind}; give it one, as text")
    if kind == "image_url":
        try:
            value = located(value, folder, max_bytes=MAX_IMAGE_BYTES)
        except ValueError as error:
            raise ValueError(f"has the image {shown(value)}, which {error}") from None
    elif kind.endswith("_url") and not value.startswith(("https://", "http://")) and not is_reference(value):
        raise ValueError(f"has the {kind} {shown(value)}, which is no http(s) URL; give one")
    return with_value(part, value, shape)


def with_value(part: Json, value: Any, shape: Shape) -> Json:
    kind = part["type"]
    if kind == "text" or not shape.nested:
        return {**part, kind: value}
    known = part.get(kind)
    return {**part, kind: {**(known if isinstance(known, dict) else {}), "url": value}}


def written(text: str, images: list[str], shape: Shape) -> Json:
    """A user's message from a prompt and the images that go with it."""
    if not images and shape.nested:
        return {"role": "user", "content": text}
    parts: list[Json] = [with_value({"type": "image_url"}, image, shape) for image in images]
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}


def parts(messages: list[Json]) -> Iterator[tuple[str, str]]:
    """All that messages hold, as (type, text or URL)."""
    for message in messages:
        content = message.get("content") or ""
        for part in content if isinstance(content, list) else [content]:
            if isinstance(part, Mapping):
                value = part.get(part["type"])
                yield part["type"], value["url"] if isinstance(value, Mapping) else str(value)
            else:
                yield "text", part


def outgoing(messages: list[Json], shape: Shape) -> list[Json]:
    """The messages as they go into a request: with the files of images in their places."""

    def sent(part: Any) -> Any:
        if not isinstance(part, dict) or part.get("type") != "image_url":
            return part
        image = part["image_url"]["url"] if shape.nested else part["image_url"]
        return with_value(part, sendable(image, max_bytes=MAX_IMAGE_BYTES), shape)

    return [
        {**message, "content": [sent(each) for each in content] if isinstance(content, list) else sent(content)}
        if (content := message.get("content")) is not None
        else message
        for message in messages
    ]
