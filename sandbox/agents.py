"""What the stand-in's agents do: translate (a mark before each text), make slides, and make a video by task.

Shapes: docs.z.ai/api-reference/agents. It writes `messages` for translations and `message` for the others.
"""

import asyncio
import html
import time
import uuid
from typing import Any

from sandbox import prices, tokens
from sandbox.chat import plain, wait
from sandbox.ledger import Entry
from sandbox.messages import count, messages_of, words_of
from sandbox.refusals import Refusal
from sandbox.scene import Scene
from sandbox.work import Answer, Given, already, make_task, repeated

SLIDES, EFFECTS, TRANSLATION = "slides_glm_agent", "vidu_template_agent", "general_translation"
PAGE_SIZE = "1280x720"


async def agent(scene: Scene, entry: Entry, given: Given) -> Answer | Refusal:
    """Who answers at once, and who takes the work on."""
    if scene.model == EFFECTS:
        return await effects(scene, entry, given)
    body = slides(scene, given) if scene.model == SLIDES else says(scene, given.fields)
    if first := repeated(scene, entry):
        if scene.world.config.duplicates == "refuse":
            return already(entry)
        entry.accepted, entry.task_id = True, first.task_id
    else:
        scene.world.accept(entry, cost=prices.of_tokens(scene.model, body["usage"]))
    await wait(scene, scene.world.seconds("agent", scene.model))
    return body


async def effects(scene: Scene, entry: Entry, given: Given) -> Answer | Refusal:
    """A video: the task's id now, the rest by polls."""
    world = scene.world
    await asyncio.sleep(world.seconds("submit"))
    if first := repeated(scene, entry):
        if world.config.duplicates == "refuse":
            return already(entry)
        entry.accepted, entry.task_id = True, first.task_id
        task = world.tasks[first.task_id or ""]
    else:
        task = make_task(scene, "video", given, world.seconds("agent_task", scene.model))
        task.agent_id, task.prompt = scene.model, words_of(given.fields)
        task.holds_slot = world.config.slot_scope == "task"
        world.accept(entry, task)
    return {"status": "pending", "agent_id": scene.model, "async_id": task.id}


def usage_of(fields: dict[str, Any], said: str) -> dict[str, int]:
    asked, written = count(messages_of(fields))["total_tokens"], tokens.count(said)
    return {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written, "total_calls": 1}


def says(scene: Scene, fields: dict[str, Any]) -> Answer:
    """A translation is its text behind its language's name: `[fr] Good morning`."""
    question = plain(words_of(fields))
    given = fields.get("custom_variables")
    language = (given if isinstance(given, dict) else {}).get("target_lang") or "zh-CN"
    said = f"[{language}] {question}" if scene.model == TRANSLATION else f"You asked {scene.model}: {question[:600]}"
    message = {"role": "assistant", "content": {"type": "text", "text": said}}
    return {
        "id": scene.world.new_id(),
        "agent_id": scene.model,
        "status": "success",
        "choices": [{"index": 0, "finish_reason": "stop", "messages": [message]}],
        "usage": usage_of(fields, said),
    }


# -- slides ----------------------------------------------------------------------------------------------


def slides(scene: Scene, given: Given) -> Answer:
    """A page a message; the conversation goes on where its id is named."""
    world, fields = scene.world, given.fields
    question = plain(words_of(fields))
    known = world.tasks.get(str(fields.get("conversation_id")))
    if known is None or known.agent_id != SLIDES:
        known = make_task(scene, "slides", given, 0.0)
        known.id, known.agent_id, known.prompt = f"{int(time.time())}-{uuid.uuid4().hex}", SLIDES, ""
        known.size = PAGE_SIZE
    known.prompt = "\n".join(filter(None, [known.prompt, words_of(fields)]))
    world.add(known)
    world.keep_task(known)
    page = len(known.prompt.splitlines())
    title = question.partition("\n")[0][:80]
    document = f"<html><body><h1>{html.escape(title)}</h1></body></html>"
    tool = {"tool_name": "insert_page", "input": title, "output": document, "position": [page], "title": title}
    said = f"Page {page} is about {title}."
    steps = [
        ("thinking", {"type": "text", "text": f"One page about {title}."}),
        ("tool", {"type": "object", "tag_cn": "添加幻灯片", "tag_en": "Insert Page", "object": tool}),
        ("answer", {"type": "text", "text": said}),
    ]
    message = [{"role": "assistant", "phase": phase, "content": [content]} for phase, content in steps]
    return {
        "id": world.new_id(),
        "conversation_id": known.id,
        "agent_id": SLIDES,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": usage_of(fields, said + document),
    }
