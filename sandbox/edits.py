"""Faults that change what an answer says: each takes its JSON, and gives what is sent instead."""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from sandbox import media
from sandbox.scene import Scene

Body = dict[str, Any]
Edit = Callable[[Scene, Body], Body]
PROCESSING = "PROCESSING"
RESULTS = ("video_result", "image_result")
#: A megabyte.
LONG_TEXT = "la " * 349_525

#: VALUE → a transcript that is hard to store, show or cut.
TEXTS = {
    "empty": "",
    "spaces": "  \n\t ",
    "nul": "before\x00after",
    "emoji": "hello \U0001f469\u200d\U0001f680 \U0001f3f3\ufe0f\u200d\U0001f308",
    "rtl": "\u202bשלום עולם مرحبا\u202c",
    "surrogate": "half a pair: \ud83d",
    "long": LONG_TEXT,
    "html": "<script>alert(1)</script>",
}


# -- answers to submissions ------------------------------------------------------------------------


def error_in_200(_scene: Scene, _body: Body) -> Body:
    return {"error": {"code": "1234", "message": "Network error"}}


def base64(scene: Scene, body: Body) -> Body:
    picture = b64encode(media.png("base64", scene.text, "256x256")).decode()
    return {**body, "data": [{"b64_json": picture}]} if "data" in body else body


def no_data(_scene: Scene, body: Body) -> Body:
    return {**body, "data": []} if "data" in body else body


def no_url(_scene: Scene, body: Body) -> Body:
    return {**body, "data": [{"revised_prompt": "x"}]} if "data" in body else body


def numeric_id(scene: Scene, body: Body) -> Body:
    """A number where an opaque text was; polls know the task by it."""
    if "id" not in body:
        return body
    number = int(hashlib.sha256(str(body["id"]).encode()).hexdigest()[:15], 16) + 10**18
    if task := scene.world.tasks.get(str(body["id"])):
        task.alias = str(number)
        scene.world.tasks[task.alias] = task
        scene.world.keep_task(task)
    return {**body, "id": number}


def no_id(_scene: Scene, body: Body) -> Body:
    return without(body, "id")


def no_request_id(_scene: Scene, body: Body) -> Body:
    return without(body, "request_id")


def extra_fields(_scene: Scene, body: Body) -> Body:
    return {**body, "usage": {"total_tokens": 0}, "timestamp": 1, "watermark": None, "新": {"deep": [[[]]]}}


def created_ahead(scene: Scene, body: Body) -> Body:
    return {**body, "created": int(scene.world.now() + scene.number(86400))} if "created" in body else body


def content_filter(scene: Scene, body: Body) -> Body:
    """0 is worst; a success all the same."""
    return {**body, "content_filter": [{"role": "assistant", "level": int(scene.number(1))}]}


def wrapper(scene: Scene, body: Body) -> Body:
    """The answer is put in another wrapper."""
    scene.wrapper = scene.value or "double"
    return body


def text(scene: Scene, body: Body) -> Body:
    return {**body, "text": TEXTS[scene.value or "empty"]} if "text" in body else body


def no_text(_scene: Scene, body: Body) -> Body:
    return without(body, "text")


# -- answers of chats and agents -----------------------------------------------------------------------


def words(scene: Scene, body: Body) -> Body:
    """The answer's words are VALUE of `TEXTS`."""
    return said(body, lambda message: {**message, "content": TEXTS[scene.value or "empty"]})


def no_json(_scene: Scene, body: Body) -> Body:
    """Not the JSON that was asked for: in a fence, as models write it."""
    return said(body, lambda message: {**message, "content": f"Here it is:\n```json\n{message.get('content')}\n```"})


def no_choices(_scene: Scene, body: Body) -> Body:
    return {**body, "choices": []} if "choices" in body else body


def no_usage(_scene: Scene, body: Body) -> Body:
    return without(body, "usage")


def cached_tokens(scene: Scene, body: Body) -> Body:
    """VALUE of the prompt's tokens came from the cache."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return body
    return {**body, "usage": {**usage, "prompt_tokens_details": {"cached_tokens": int(scene.number(10))}}}


def finish(scene: Scene, body: Body) -> Body:
    """It ends for the reason VALUE (sensitive) after half of its words."""

    def cut(message: Body) -> Body:
        whole = message.get("content")
        return {**message, "content": whole[: len(whole) // 2]} if isinstance(whole, str) else message

    made = said(body, cut)
    ends = [{**choice, "finish_reason": scene.value or "sensitive"} for choice in made.get("choices") or []]
    return {**made, "choices": ends} if "choices" in made else made


def agent_messages(_scene: Scene, body: Body) -> Body:
    """An agent's `message` is called `messages`, and the other way round: the documents disagree."""
    swapped = {"message": "messages", "messages": "message"}
    choices = [{swapped.get(name, name): each for name, each in choice.items()} for choice in body.get("choices") or []]
    return {**body, "choices": choices} if "choices" in body else body


def stream_ignored(scene: Scene, body: Body) -> Body:
    """Plain JSON, although a stream was asked for."""
    scene.streams = False
    return body


def stream_unasked(scene: Scene, body: Body) -> Body:
    """A stream, although none was asked for."""
    scene.streams = True
    return body


def said(body: Body, change: Callable[[Body], Body]) -> Body:
    """Each message of a chat's choices changed."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not all(isinstance(each.get("message"), dict) for each in choices):
        return body
    return {**body, "choices": [{**each, "message": change(each["message"])} for each in choices]}


# -- answers to polls ----------------------------------------------------------------------------------


def failed(says: Callable[[Scene], Body]) -> Edit:
    """The task ends as FAIL, and says so from then on."""

    def edit(scene: Scene, body: Body) -> Body:
        if not scene.done or scene.task is None:
            return body
        scene.task.failed = says(scene)
        scene.world.keep_task(scene.task)
        return {**without(body, *RESULTS), "task_status": "FAIL", **scene.task.failed}

    return edit


def status(value: Any, *, only: str | None = None) -> Edit:
    """Another task_status: always, or only where it would be this one. A function is given the true one."""

    def edit(_scene: Scene, body: Body) -> Body:
        true = body.get("task_status")
        if only is not None and true != only:
            return body
        return {**body, "task_status": value(true) if callable(value) else value}

    return edit


def status_missing(scene: Scene, body: Body) -> Body:
    return body if scene.done else without(body, "task_status")


def odd_status(scene: Scene, body: Body) -> Body:
    polls = scene.task.polls if scene.task else 0
    return body if scene.done else {**body, "task_status": (None, "QUEUED", "processing")[polls % 3]}


def status_failed(scene: Scene, body: Body) -> Body:
    """FAIL in another word."""
    made = failed(lambda _scene: {"message": "The task failed"})(scene, body)
    return {**made, "task_status": "FAILED"} if scene.done else made


def success_without_url(scene: Scene, body: Body) -> Body:
    return with_results(body, []) if scene.done and scene.count <= scene.number(1) else body


def success_without_result(scene: Scene, body: Body) -> Body:
    return without(body, *RESULTS) if scene.done and scene.count <= scene.number(1) else body


def goes_back(scene: Scene, body: Body) -> Body:
    """SUCCESS with nothing in it, then PROCESSING again, then SUCCESS."""
    if not scene.done or scene.count > 1 + scene.number(2):
        return body
    return with_results(body, []) if scene.count == 1 else processing(body)


def processing_forever(_scene: Scene, body: Body) -> Body:
    return processing(body)


def no_cover(_scene: Scene, body: Body) -> Body:
    return each(body, lambda entry: without(entry, "cover_image_url"))


def empty_cover(_scene: Scene, body: Body) -> Body:
    return each(body, lambda entry: {**entry, "cover_image_url": ""})


def several_videos(scene: Scene, body: Body) -> Body:
    found = body.get("video_result") or body.get("image_result") or []
    return with_results(body, found * int(scene.number(2)))


def empty_url(_scene: Scene, body: Body) -> Body:
    return each(body, lambda entry: {**entry, "url": ""})


def error(code: str, message: str) -> Body:
    return {"code": code, "message": message}


def with_results(body: Body, entries: list[Body]) -> Body:
    """Videos or images of a poll replaced; one that has none is left as it is."""
    return {**body, **{name: entries for name in RESULTS if name in body}}


def each(body: Body, change: Callable[[Body], Body]) -> Body:
    """Each video or image of a poll changed."""
    return {**body, **{name: [change(entry) for entry in body[name]] for name in RESULTS if name in body}}


def processing(body: Body) -> Body:
    return {**without(body, *RESULTS), "task_status": PROCESSING}


def without(body: Body, *names: str) -> Body:
    return {name: value for name, value in body.items() if name not in names}
