"""What is believed of the API, each with a look at it. Nothing here asks twice for what costs money."""

import asyncio
import json
import time
import uuid
from urllib.parse import urlsplit

import httpx

from sandbox.probing import (
    ASR_MODEL,
    CHAT_MODEL,
    DIRECT,
    IMAGE_MODEL,
    NO_TASK,
    PROBES,
    PROXY,
    QUESTION,
    TIMEOUT_S,
    VIDEO_MODEL,
    Api,
    Seen,
    code,
    events,
    inner,
    names,
    probe,
    silence,
    wrapper,
)

__all__ = ["PROBES"]


@probe("a success's wrapper", "data", side=PROXY)
def its_wrapper(api: Api) -> str:
    return wrapper(api.post("tokenizer", {"model": "glm-4.6", "messages": QUESTION}))


@probe("a task that nobody has, new format", "400/1233")
def unknown_task(api: Api) -> str:
    return code(api.poll(NO_TASK))


@probe("a task that nobody has, old format", "400/1233", side=PROXY)
def unknown_task_old(api: Api) -> Seen:
    answer = api.poll(NO_TASK, old=True)
    return Seen(code(answer), f"it names {NO_TASK}: {NO_TASK in answer.text}")


@probe("a wrong token", "401 Invalid api_token", side=PROXY)
def wrong_token(api: Api) -> str:
    return code(api.http.post(api.url("tokenizer"), json={}, **api.auth("at_wrong")))


@probe("a wrong key", "401/1002", side=DIRECT)
def wrong_key(api: Api) -> str:
    return code(api.http.post(api.url("tokenizer"), json={}, **api.auth("wrong")))


@probe("no key", "401/1001", side=DIRECT)
def no_key(api: Api) -> str:
    return code(api.http.post(api.url("tokenizer"), json={}, **api.auth("")))


@probe("models", "200 data")
def models(api: Api) -> str:
    answer = api.get("/v1/models" if api.side == PROXY else "/api/paas/v4/models")
    return f"{code(answer)} {names(inner(answer), 'data')}"


@probe("the definition, new form", "200 paths", side=PROXY)
def openapi(api: Api) -> str:
    answer = api.http.get(f"{api.backend}/openapi")
    return f"{answer.status_code} {names(inner(answer), 'paths')}"


@probe("the definition, old form", "200 paths", side=PROXY)
def definition(api: Api) -> str:
    answer = api.http.get(f"{api.backend}/definition")
    return f"{answer.status_code} {names(inner(answer), 'paths')}"


@probe("agents, new path, with an empty body", "400/1213")
def agents_new(api: Api) -> str:
    return code(api.post("agent"))


@probe("agents, old path, with an empty body", "400/1213", side=PROXY)
def agents_old(api: Api) -> str:
    return code(api.post("agent", old=True))


@probe("an agent's result, of a task that nobody has", "400/1233")
def agent_result(api: Api) -> str:
    url = f"{api.url('agent')}/async-result"
    return code(api.http.post(url, json={"agent_id": "vidu_template_agent", "async_id": NO_TASK}, **api.auth()))


@probe("a conversation that nobody had", "200/1233")
def agent_history(api: Api) -> str:
    url = f"{api.url('agent')}/conversation"
    return code(api.http.post(url, json={"agent_id": "slides_glm_agent", "conversation_id": "0-0"}, **api.auth()))


@probe("an upload without a purpose", "400/1213")
def upload(api: Api) -> str:
    return code(api.post("file_upload", files={"file": ("probe.txt", b"probe")}))


@probe("no model", "400/1213")
def no_model(api: Api) -> str:
    return code(api.chat(model=None))


@probe("an unknown model", "400/1211")
def unknown_model(api: Api) -> str:
    return code(api.chat(model="glm-0"))


@probe("messages of a system alone", "400/1214")
def system_alone(api: Api) -> str:
    return code(api.chat(messages=[{"role": "system", "content": "x"}]))


@probe("a user_id of three characters", "400/1214")
def short_user_id(api: Api) -> str:
    return code(api.chat(user_id="abc"))


@probe("a request_id of three characters", "400/1214")
def short_request_id(api: Api) -> str:
    return code(api.chat(request_id="abc"))


@probe("two stop words", "400/1214")
def two_stops(api: Api) -> str:
    return code(api.chat(stop=["a", "b"]))


@probe("a tool_choice that is not auto", "400/1214")
def tool_choice(api: Api) -> str:
    return code(api.chat(tool_choice="none"))


@probe("an image for a model of words", "400/1210")
def image_for_words(api: Api) -> str:
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    return code(api.chat(messages=[{"role": "user", "content": [part]}]))


@probe("the seed's `input` alone, for the tokenizer", "400/1213")
def seeds_input(api: Api) -> str:
    return code(api.post("tokenizer", {"model": "glm-4.6", "input": "hello"}))


@probe("the seed's `query` alone, for the search", "400/1213", cost=0.01)
def seeds_query(api: Api) -> str:
    return code(api.post("web_search", {"query": "fog", "max_results": 1}))


@probe("a chat's answer", "id, request_id, created, model, choices, usage")
def chat(api: Api) -> Seen:
    body = inner(answer := api.chat())
    thinks = "reasoning_content" in str(body.get("choices"))
    seen = names(body, "id", "request_id", "created", "model", "choices", "usage")
    return Seen(seen, f"thinks unasked: {thinks}; Retry-After or rate headers: {rate_headers(answer)}")


@probe("a chat's stream", "text/event-stream, delta, usage at the end, [DONE]")
def chat_stream(api: Api) -> str:
    answer = api.chat(stream=True)
    found = events(answer)
    told = [each for each in found if isinstance(each, dict)]
    parts = [answer.headers.get("content-type", "none").partition(";")[0]]
    parts += ["delta"] if told and "delta" in str(told[0]) else []
    parts += ["usage at the end"] if told and told[-1].get("usage") else []
    return ", ".join([*parts, *(["[DONE]"] if found[-1:] == ["[DONE]"] else [])])


@probe("a request_id that comes again", "200, 200")
def repeated(api: Api) -> str:
    name = uuid.uuid4().hex
    return ", ".join(code(api.chat(request_id=name)) for _ in range(2))


@probe("more calls at once than a model bears", "429/1302, no Retry-After")
def too_many(api: Api) -> Seen:
    async def all_at_once() -> list[httpx.Response]:
        body = {"model": CHAT_MODEL, "messages": QUESTION, "max_tokens": 64}
        async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
            asked = [client.post(api.url("chat"), json=body, **api.auth()) for _ in range(12)]
            return list(await asyncio.gather(*asked))

    answers = asyncio.run(all_at_once())
    refused = [answer for answer in answers if answer.status_code != 200]
    if not refused:
        return Seen("none is refused", "12 at once")
    after = "Retry-After" if "retry-after" in refused[0].headers else "no Retry-After"
    return Seen(f"{code(refused[0])}, {after}", f"{len(refused)} of 12 at once")


@probe("the coding endpoint, for this key", "200", cost=0.001)
def coding(api: Api) -> str:
    return code(api.chat("code", model="glm-4.5-air"))


@probe("a translation", "messages, usage", cost=0.001)
def translation(api: Api) -> Seen:
    text = [{"type": "text", "text": "Hi"}]
    body = inner(
        api.post("agent", {"agent_id": "general_translation", "messages": [{"role": "user", "content": text}]})
    )
    choice = (body.get("choices") or [{}])[0]
    said = choice.get("messages") or choice.get("message")
    return Seen(f"{names(choice, 'messages', 'message')}, {names(body, 'usage')}", f"content: {json.dumps(said)[:80]}")


@probe("a search's answer", "id, created, search_result", cost=0.01)
def search(api: Api) -> Seen:
    body = inner(api.post("web_search", {"search_query": "fog", "search_engine": "search-prime", "count": 2}))
    return Seen(names(body, "id", "created", "search_result"), f"{len(body.get('search_result') or [])} of 2")


@probe("a page's answer", "id, created, reader_result", cost=0.01)
def reader(api: Api) -> str:
    return names(inner(api.post("reader", {"url": "https://example.com"})), "id", "created", "reader_result")


@probe("an image's size that there is not", "400/1214", cost=0.01)
def image_size(api: Api) -> str:
    return code(api.post("image", {"model": IMAGE_MODEL, "prompt": "a dot", "size": "100x100"}))


@probe("an image's answer", "created, id, request_id, data; 1 for n=2; no usage", cost=0.02)
def image(api: Api) -> Seen:
    begun = time.monotonic()
    body = inner(api.post("image", {"model": IMAGE_MODEL, "prompt": "a dot", "size": "512x512", "n": 2}))
    took = time.monotonic() - begun
    data = body.get("data") or []
    url = str(data[0].get("url")) if data else ""
    seen = f"{names(body, 'created', 'id', 'request_id', 'data')}; {len(data)} for n=2; "
    return Seen(seen + ("usage" if "usage" in body else "no usage"), f"{took:.1f} s; {told_of(api, url)}")


@probe("an image by task", "model, id, request_id, task_status; then image_result, no id", cost=0.015, side=DIRECT)
def image_async(api: Api) -> Seen:
    begun = time.monotonic()
    task = inner(api.post("image_async", {"model": "glm-image", "prompt": "a dot", "size": "1024x1024"}))
    ended = api.ended(str(task.get("id")))
    after = f"{names(ended, 'image_result')}, {'id' if 'id' in ended else 'no id'}"
    return Seen(f"{names(task, 'model', 'id', 'request_id', 'task_status')}; then {after}",
                f"{time.monotonic() - begun:.0f} s")  # fmt: skip


@probe("a transcription's answer", "id, created, request_id, model; no usage", cost=0.001)
def transcription(api: Api) -> Seen:
    body = inner(asr(api, "a.wav", silence(1.0), request_id=uuid.uuid4().hex))
    seen = names(body, "id", "created", "request_id", "model")
    return Seen(f"{seen}; {'usage' if 'usage' in body else 'no usage'}", f"of silence: {body.get('text')!r}")


@probe("a transcription's stream", "transcript.text.done, [DONE]", cost=0.001)
def transcription_stream(api: Api) -> str:
    found = events(asr(api, "b.wav", silence(1.0), stream="true"))
    return ", ".join(str(each.get("type")) if isinstance(each, dict) else each for each in found[-2:])


@probe("audio of 31 seconds", "400/1214", cost=0.002)
def long_audio(api: Api) -> str:
    return code(asr(api, "c.wav", silence(31.0)))


@probe("audio that is none", "400/1214", cost=0.001)
def no_audio(api: Api) -> str:
    return code(asr(api, "d.wav", b"no audio at all"))


def asr(api: Api, name: str, data: bytes, **fields: str) -> httpx.Response:
    """Under a name of its own: the proxy keeps uploads by their names."""
    file = {"file": (f"{uuid.uuid4().hex[:8]}-{name}", data, "audio/wav")}
    return api.post("transcription", data={"model": ASR_MODEL, **fields}, files=file)


@probe("a video's prompt of 513 characters", "400/1261", cost=0.2)
def long_prompt(api: Api) -> str:
    return code(api.post("video", {"model": VIDEO_MODEL, "prompt": "x" * 513}))


@probe(
    "a video", "model, id, request_id, task_status; then video_result, no id; a second meanwhile: 429/1302", cost=0.4
)
def video(api: Api) -> Seen:
    """Whether a task or a call holds the slot: the second is refused at once, or bought as well."""
    begun = time.monotonic()
    task = inner(api.post("video", {"model": VIDEO_MODEL, "prompt": "a dot that grows"}))
    second = code(api.post("video", {"model": VIDEO_MODEL, "prompt": "a dot that shrinks"}))
    ended = api.ended(str(task.get("id")))
    videos = ended.get("video_result") or [{}]
    after = f"{names(ended, 'video_result')}, {'id' if 'id' in ended else 'no id'}"
    seen = f"{names(task, 'model', 'id', 'request_id', 'task_status')}; then {after}; a second meanwhile: {second}"
    return Seen(seen, f"{time.monotonic() - begun:.0f} s; {told_of(api, str(videos[0].get('url')))}")


def told_of(api: Api, url: str) -> str:
    """A result's host, whether its URL is signed, and whether parts of it may be fetched."""
    if not url.startswith("http"):
        return "no URL"
    answer = api.http.get(url, headers={"Range": "bytes=0-9"}, follow_redirects=True)
    return f"{urlsplit(url).hostname}, {'signed' if urlsplit(url).query else 'unsigned'}, range: {answer.status_code}"


def rate_headers(answer: httpx.Response) -> str:
    return ", ".join(name for name in answer.headers if "ratelimit" in name or name == "retry-after") or "none"
