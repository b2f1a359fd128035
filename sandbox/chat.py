"""What the stand-in's models say: from the prompt alone, so that it is the same each time.

A function is called where a word of its name stands in the prompt; JSON is made to fit a schema that a
message holds; what a tool said is repeated; images are told by their size or, where the stand-in made
them, by their prompt. `[[say:TEXT]]` in a prompt is answered with TEXT.
"""

import asyncio
import io
import json
import re
from base64 import b64decode
from typing import Any

from PIL import Image

from sandbox import prices, samples, tokens
from sandbox.ledger import Entry
from sandbox.messages import Message, count, last_of, messages_of, shown, text_of
from sandbox.refusals import Refusal
from sandbox.scene import MARKER, Scene
from sandbox.work import Answer, Given, already, repeated

SAY = re.compile(r"\[\[say:(.*?)\]\]", re.DOTALL)
KEY = re.compile(r"\[\[key:[^\]]*\]\]")
#: A first answer comes after this part of the time.
FIRST = 0.2
MAX_SHOWN = 600


async def chat(scene: Scene, entry: Entry, given: Given) -> Answer | Refusal:
    return await answer(scene, entry, given, "chat")


async def code(scene: Scene, entry: Entry, given: Given) -> Answer | Refusal:
    return await answer(scene, entry, given, "code")


async def answer(scene: Scene, entry: Entry, given: Given, what: str) -> Answer | Refusal:
    world, fields = scene.world, given.fields
    body: Answer = {
        "id": world.new_id(),
        "request_id": entry.request_id or world.new_id(),
        "created": int(world.now()),
        "model": scene.model,
    }
    body |= completion(scene, fields)
    if first := repeated(scene, entry):
        if world.config.duplicates == "refuse":
            return already(entry)
        entry.accepted, entry.task_id = True, first.task_id
    else:
        world.accept(entry, cost=prices.of_tokens(scene.model, body["usage"]))
    await wait(scene, world.seconds(what, scene.model))
    return body


async def wait(scene: Scene, seconds: float) -> None:
    """Until the answer may go out: of a stream, its start. The proxy hands a stream on when all of it is there."""
    if scene.streams and scene.direct:
        scene.pace_s = seconds * (1 - FIRST)
        seconds *= FIRST
        scene.world.limits.hold(scene.model, scene.world.now() + seconds + scene.pace_s)
    await asyncio.sleep(seconds)


def asks_stream(fields: dict[str, Any]) -> bool:
    return str(fields.get("stream")).lower() == "true"


def completion(scene: Scene, fields: dict[str, Any]) -> Answer:
    """`choices` and `usage`."""
    messages = messages_of(fields)
    message: Message = {"role": "assistant"}
    thought = thinking(fields, messages)
    if thought:
        message["reasoning_content"] = thought
    if calls := tool_calls(fields, messages):
        message |= {"content": None, "tool_calls": calls}
        reason, said = "tool_calls", json.dumps(calls)
    else:
        said, reason = fitted(fields, says(scene, fields, messages))
        message["content"] = said
    asked = count(messages, fields.get("tools"))["prompt_tokens"]
    thoughts = tokens.count(thought)
    written = tokens.count(said) + thoughts
    body: Answer = {
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": asked,
            "completion_tokens": written,
            "total_tokens": asked + written,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": thoughts},
        },
    }
    if any(tool.get("type") == "web_search" for tool in tools_of(fields)):
        body["web_search"] = found(text_of(last_of(messages, "user").get("content")), 3)
    return body


def thinking(fields: dict[str, Any], messages: list[Message]) -> str:
    """Enabled unless it is disabled."""
    wanted = fields.get("thinking")
    if isinstance(wanted, dict) and wanted.get("type") == "disabled":
        return ""
    question = plain(text_of(last_of(messages, "user").get("content")))
    return f"The user asks: {question[:120]}. I answer from these words alone."


def plain(text: str) -> str:
    """Without markers."""
    return KEY.sub("", MARKER.sub("", text)).strip()


def says(scene: Scene, fields: dict[str, Any], messages: list[Message]) -> str:
    """The text of an answer."""
    question = text_of(last_of(messages, "user").get("content"))
    if told := SAY.search(question):
        return told[1]
    question = plain(question)
    wanted = fields.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_object":
        schema = schema_in(messages)
        made = samples.fitting(schema, question) if schema else {"answer": question, "words": len(question.split())}
        return json.dumps(made, ensure_ascii=False)
    if messages and messages[-1].get("role") == "tool":
        return f"The tool says: {text_of(messages[-1].get('content'))}"
    pictures = [seen(scene, url) for url in shown(messages, "image_url")]
    rest = [f"{kind[:-4]} {url}" for kind in ("video_url", "file_url") for url in shown(messages, kind)]
    looks = f"I see {'; '.join([*pictures, *rest])}. " if pictures or rest else ""
    return f"{looks}You asked: {question[:MAX_SHOWN]}"


def schema_in(messages: list[Message]) -> dict[str, Any] | None:
    """The last JSON object with `properties` that a message holds."""
    for message in reversed(messages):
        text = text_of(message.get("content"))
        for start in (at for at, sign in enumerate(text) if sign == "{"):
            try:
                value, _ = json.JSONDecoder().raw_decode(text, start)
            except ValueError:
                continue
            if isinstance(value, dict) and isinstance(value.get("properties"), dict):
                return {"type": "object", **value}
    return None


def seen(scene: Scene, url: str) -> str:
    """An image in a few words."""
    if url.startswith(("http://", "https://")):
        task = scene.world.tasks.get(url.rpartition("/")[2].partition(".")[0])
        return f"an image of {task.prompt!r}" if task else f"an image at {url}"
    try:
        with Image.open(io.BytesIO(b64decode(url.rpartition(",")[2]))) as picture:
            return f"an image of {picture.width}x{picture.height}"
    except (ValueError, OSError):
        return "an image that cannot be read"


def fitted(fields: dict[str, Any], said: str) -> tuple[str, str]:
    """What `stop` and `max_tokens` leave of it, and why it ends."""
    for word in fields.get("stop") or []:
        said = said.partition(str(word))[0]
    most = fields.get("max_tokens")
    if isinstance(most, int) and tokens.count(said) > most:
        return tokens.first(said, most), "length"
    return said, "stop"


# -- tools -----------------------------------------------------------------------------------------------


def tools_of(fields: dict[str, Any]) -> list[dict[str, Any]]:
    tools = fields.get("tools")
    return [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []


def tool_calls(fields: dict[str, Any], messages: list[Message]) -> list[dict[str, Any]]:
    """A call of each function that the prompt has a word of; none where a tool has spoken already."""
    if not messages or messages[-1].get("role") != "user":
        return []
    question = plain(text_of(messages[-1].get("content")))
    wanted = [
        tool["function"]
        for tool in tools_of(fields)
        if tool.get("type") == "function" and isinstance(tool.get("function"), dict)
        and is_about(question, str(tool["function"].get("name")))
    ]  # fmt: skip
    return [
        {
            "id": f"call_{number}_{function['name']}",
            "index": number,
            "type": "function",
            "function": {
                "name": function["name"],
                "arguments": json.dumps(
                    samples.fitting({"type": "object", **(function.get("parameters") or {})}, question),
                    ensure_ascii=False,
                ),
            },
        }
        for number, function in enumerate(wanted)
    ]


def is_about(question: str, name: str) -> bool:
    words = set(re.findall(r"\w+", question.lower()))
    return any(part in words for part in re.split(r"[_-]", name.lower()) if len(part) > 3)


def found(query: str, results: int) -> list[dict[str, Any]]:
    """Search results, in the form that chat and the search endpoint share."""
    slug = re.sub(r"\W+", "-", query.lower()).strip("-")[:60] or "nothing"
    return [
        {
            "title": f"{query} ({number})",
            "content": f"Page {number} about {query}.",
            "link": f"https://example.com/{slug}/{number}",
            "media": "example.com",
            "icon": "https://example.com/favicon.ico",
            "refer": f"ref_{number}",
            "publish_date": f"2026-01-{number % 28 + 1:02}",
        }
        for number in range(1, results + 1)
    ]
