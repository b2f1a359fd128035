"""The small endpoints: tokenizer, web search, web reader, file upload. Nothing here looks at the web."""

import asyncio
import secrets
from typing import Any

from sandbox.chat import found
from sandbox.ledger import Entry
from sandbox.messages import count, messages_of
from sandbox.refusals import REFUSALS, Refusal
from sandbox.scene import Scene
from sandbox.work import Answer, Given, already, repeated

MAX_FILE_BYTES = 100 * 1024**2
DEFAULT_RESULTS = 10


def named(scene: Scene, entry: Entry) -> Answer:
    """What all of these answers begin with."""
    world = scene.world
    return {
        "id": world.new_id(),
        "created": int(world.now()),
        "request_id": entry.request_id or world.new_id(),
    }


async def tokenizer(scene: Scene, entry: Entry, given: Given) -> Answer | Refusal:
    await asyncio.sleep(scene.world.seconds("tokenizer"))
    scene.world.accept(entry, charged=False)
    return {**named(scene, entry), "usage": count(messages_of(given.fields), given.fields.get("tools"))}


async def web_search(scene: Scene, entry: Entry, given: Given) -> Answer | Refusal:
    """Pages about the query, as many as are asked for."""
    if refusal := charge(scene, entry):
        return refusal
    await asyncio.sleep(scene.world.seconds("web_search"))
    query, wanted = str(given.fields["search_query"]), int(given.fields.get("count") or DEFAULT_RESULTS)
    domain = given.fields.get("search_domain_filter")
    results = found(query, wanted)
    if domain:
        results = [{**each, "link": each["link"].replace("example.com", domain), "media": domain} for each in results]
    return {**named(scene, entry), "search_result": results}


async def reader(scene: Scene, entry: Entry, given: Given) -> Answer | Refusal:
    """A page made from its address."""
    if refusal := charge(scene, entry):
        return refusal
    await asyncio.sleep(scene.world.seconds("reader"))
    fields = given.fields
    url = str(fields["url"])
    title = url.rstrip("/").rpartition("/")[2] or url
    marks = ("", "") if fields.get("return_format") == "text" else ("# ", f"[{url}]({url})")
    content = f"{marks[0]}{title}\n\nThe page at {url}. {marks[1]}".rstrip()
    result: dict[str, Any] = {
        "title": title,
        "description": f"About {title}",
        "url": url,
        "content": content,
        "metadata": {"description": f"About {title}", "viewport": "width=device-width"},
        "external": {"stylesheet": {f"{url}/style.css": {"type": "text/css"}}},
    }
    if fields.get("with_links_summary") is True:
        result["links"] = {title: url}
    if fields.get("with_images_summary") is True:
        result["images"] = {"1": f"{url}/image.png"}
    return {**named(scene, entry), "model": "web-reader", "reader_result": result}


async def file_upload(scene: Scene, entry: Entry, given: Given) -> Answer | Refusal:
    world = scene.world
    if given.upload is None:
        at_proxy = given.multipart and not scene.direct
        return REFUSALS["proxy_file_missing"] if at_proxy else Refusal(400, "1213", "The parameter file is missing")
    if len(given.upload) > MAX_FILE_BYTES:
        return REFUSALS["file_too_large"]
    await asyncio.sleep(world.seconds("file_upload"))
    world.accept(entry, charged=False)
    purpose = str(given.fields["purpose"])
    return {
        "id": f"{purpose}-{int(world.now())}-{secrets.token_hex(16)}",
        "object": "file",
        "bytes": len(given.upload),
        "filename": given.filename,
        "purpose": purpose,
        "created_at": int(world.now()),
    }


def charge(scene: Scene, entry: Entry) -> Refusal | None:
    """Accept a call that has a price of its own."""
    if first := repeated(scene, entry):
        if scene.world.config.duplicates == "refuse":
            return already(entry)
        entry.accepted = True
        entry.task_id = first.task_id
    else:
        scene.world.accept(entry)
    return None
