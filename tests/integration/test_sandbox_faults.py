"""Each fault of the table, played: what a client sees on the wire, and what the ledger says of it."""

import json
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import httpx
import pytest

from sandbox import process
from sandbox.edits import TEXTS
from sandbox.faults import FAULTS
from sandbox.process import SandboxProcess
from sandbox.refusals import LATE, REFUSALS, SHAPES
from sandbox.tones import speak, wav

PATHS = {
    "image": "/zai/api/paas/v4/generate/image",
    "video": "/zai/api/paas/v4/videos/generations",
    "transcription": "/zai/api/paas/v4/audio/transcriptions",
    "chat": "/zai/api/paas/v4/chat/completions",
    "agent": "/zai/api/v1/agents",
}
MODELS = {"image": "cogview-4-250304", "video": "viduq1-text", "transcription": "glm-asr-2512", "chat": "glm-4.6"}
AUDIO = wav(speak(["amber", "ocean"]))
#: Seconds to read: for those that answer, and for those that never do.
PATIENT, IMPATIENT = 10.0, 0.2


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxProcess]:
    made = process.start("--latency", "0", "--latency-of", "viduq1-text=0", "--limit", "viduq1-text=50")
    yield made
    made.stop()


@pytest.fixture
def api(running: SandboxProcess) -> SandboxProcess:
    running.reset()
    return running


def patience(expected: str) -> float:
    return IMPATIENT if expected == "ReadTimeout" else PATIENT


def ask(
    api: SandboxProcess,
    marker: str,
    endpoint: str = "image",
    *,
    read_s: float = PATIENT,
    http: httpx.Client | None = None,
    **body: Any,
) -> httpx.Response:
    http = http or api.http
    url = f"{api.url}{PATHS[endpoint]}?api_token={api.token}"
    if endpoint in {"chat", "agent"}:
        message = {"role": "user", "content": f"a cat {marker}"}
        body = {"model": "glm-4.6", "agent_id": "general_translation", "messages": [message], **body}
        return http.post(url, json=body, timeout=read_s)
    fields = {"model": MODELS[endpoint], "prompt": f"a cat {marker}", **body}
    if endpoint == "transcription":
        return http.post(url, data=fields, files={"file": ("a.wav", AUDIO, "audio/wav")}, timeout=read_s)
    return http.post(url, json=fields, timeout=read_s)


def seen(call: Callable[[], httpx.Response]) -> str:
    """A call in a few words: what was raised, or its status and what its body is."""
    try:
        answer = call()
    except httpx.HTTPError as error:
        return type(error).__name__
    try:
        body = answer.json()
    except ValueError:
        kind = answer.headers.get("content-type", "none").partition(";")[0]
        return f"{answer.status_code} {kind if answer.content else 'empty'}"
    inside = body.get("data", body) if isinstance(body.get("data"), dict) else body
    code = inside.get("error", {}).get("code")
    return f"{answer.status_code} {code}" if code else f"{answer.status_code}"


def in_ledger(api: SandboxProcess) -> tuple[int, int, int]:
    """Received, accepted, charged."""
    summary = api.summary()
    return summary["received"], summary["accepted"], summary["charged"]


# -- refusals -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in REFUSALS if FAULTS[name].at == ("submit",)])
def test_a_refusal_is_not_charged(api: SandboxProcess, name: str) -> None:
    refusal = REFUSALS[name]
    answer = ask(api, f"[[fault:{name}]]")
    assert answer.status_code == refusal.status
    if refusal.code:
        assert answer.json()["data"]["error"]["code"] == refusal.code
    elif refusal.own:
        assert answer.json()["message"] == refusal.message
        assert (api.token in answer.text) is (refusal.own == "full")
    else:
        assert answer.headers["content-type"].startswith("text/html")
    assert in_ledger(api) == (1, 0, 0)
    assert list(api.summary()["refused"]) == [refusal.code or str(refusal.status)]


@pytest.mark.parametrize("name", LATE)
def test_the_same_may_come_when_all_is_charged(api: SandboxProcess, name: str) -> None:
    answer = ask(api, f"[[fault:{name}_after]]")
    assert answer.status_code == REFUSALS[name].status
    assert in_ledger(api) == (1, 1, 1)
    [entry] = api.ledger()
    assert (entry["status"], entry["code"]) == (REFUSALS[name].status, REFUSALS[name].code)


@pytest.mark.parametrize("value", ["7", "0", "-1", "86400", "abc"])
def test_retry_after_in_a_header_or_in_the_body(api: SandboxProcess, value: str) -> None:
    assert ask(api, f"[[fault:rate_limit:{value}]]").headers["retry-after"] == value
    api.change("config", wrapper="result")
    hidden = ask(api, f"[[fault:rate_limit:{value}]]")
    assert "retry-after" not in hidden.headers
    assert hidden.json()["headers"] == {"retry-after": value}
    assert hidden.json()["error"]["error"]["code"] == "1302"


def test_retry_after_as_a_date_and_a_reset_in_the_text(api: SandboxProcess) -> None:
    date = ask(api, "[[fault:overload:date+60]]").headers["retry-after"]
    assert 50 < parsedate_to_datetime(date).timestamp() - time.time() <= 60
    assert "T" in ask(api, "[[fault:usage_limit:60/iso]]").json()["data"]["error"]["message"].split("reset at ")[1]


@pytest.mark.parametrize("name", SHAPES)
def test_errors_of_other_shapes(api: SandboxProcess, name: str) -> None:
    answer = ask(api, f"[[fault:{name}:1302]]")
    assert answer.status_code == 429
    error = answer.json()["data"]["error"]
    code = error.get("code", "missing") if isinstance(error, dict) else "text"
    expected = {"error_code_number": 1302, "error_code_null": None, "error_code_missing": "missing",
                "error_is_text": "text"}  # fmt: skip
    assert code == expected.get(name, "1302")
    assert list(api.summary()["refused"]) == ["1302"]


# -- the wire --------------------------------------------------------------------------------------------

#: fault (image) → what is seen, and how many are charged.
WIRE = {
    "reset_before": ("ReadError", 0),
    "close_before": ("RemoteProtocolError", 0),
    "hang_before": ("ReadTimeout", 0),
    "tls_abort": ("RemoteProtocolError", 0),
    "redirect_307": ("307 empty", 0),
    "redirect_302": ("302 empty", 0),
    "reset_after": ("ReadError", 1),
    "close_after": ("RemoteProtocolError", 1),
    "hang_after": ("ReadTimeout", 1),
    "error_in_200": ("200 1234", 1),
    "truncated": ("200 application/json", 1),
    "html": ("200 text/html", 1),
    "empty": ("200 empty", 1),
    "invalid_utf8": ("200 application/json", 1),
    "bom": ("200", 1),  # which httpx forgives
    "gzip": ("200", 1),
    "gzip_broken": ("DecodingError", 1),
    "json_twice": ("200 application/json", 1),
    "text_plain": ("200", 1),
    "no_content_type": ("200", 1),
    "chunked_short": ("RemoteProtocolError", 1),
    "short_body": ("RemoteProtocolError", 1),
    "reset_midway": ("ReadError", 1),
    "stalls": ("ReadTimeout", 1),
    "slow_headers:2": ("ReadTimeout", 1),
    "slow_body:2": ("ReadTimeout", 1),
    "slow_headers:5000": ("200", 1),
    "slow_body:10000": ("200", 1),
    "late:0.01": ("200", 1),
    "late:9": ("ReadTimeout", 1),
    "date_skew": ("200", 1),
    "keepalive_closed": ("200", 1),
    "created_ahead": ("200", 1),
    "extra_fields": ("200", 1),
}


@pytest.mark.parametrize("fault", WIRE)
def test_on_the_wire(api: SandboxProcess, fault: str) -> None:
    expected, charged = WIRE[fault]
    # On a connection of its own: what the server closes unsaid must not meet the questions to its ledger.
    with httpx.Client() as http:
        assert seen(lambda: ask(api, f"[[fault:{fault}]]", read_s=patience(expected), http=http)) == expected
    assert in_ledger(api) == (1, charged, charged)
    assert [entry["faults"] for entry in api.ledger()] == [[fault.partition(":")[0]]]


def test_a_reset_while_the_client_still_writes(api: SandboxProcess) -> None:
    api.play({"fault": "reset_reading", "times": 1})
    raised = seen(lambda: ask(api, "", "transcription", prompt="x" * 30_000_000))
    assert raised in {"WriteError", "ReadError", "RemoteProtocolError"}
    assert in_ledger(api) == (0, 0, 0)


def test_headers_that_lie(api: SandboxProcess) -> None:
    assert ask(api, "[[fault:text_plain]]").headers["content-type"].startswith("text/plain")
    assert "content-type" not in ask(api, "[[fault:no_content_type]]").headers
    ahead = parsedate_to_datetime(ask(api, "[[fault:date_skew:3600]]").headers["date"]).timestamp() - time.time()
    assert 3590 < ahead <= 3600
    assert ask(api, "[[fault:created_ahead:3600]]").json()["data"]["created"] > time.time() + 3000


def test_a_connection_that_is_closed_between_requests(api: SandboxProcess) -> None:
    with httpx.Client() as client:
        url = f"{api.url}{PATHS['image']}?api_token={api.token}"
        body = {"model": MODELS["image"], "prompt": "x [[fault:keepalive_reset]]"}
        assert seen(lambda: client.post(url, json=body)) == "200"
        assert seen(lambda: client.post(url, json=body)) in {"ReadError", "WriteError", "RemoteProtocolError"}
    assert in_ledger(api) == (1, 1, 1)  # the second was not even read


# -- what answers say ------------------------------------------------------------------------------------

ANSWERS: dict[str, tuple[str, Callable[[dict[str, Any]], Any], Any]] = {
    "no_data": ("image", lambda body: body["data"], []),
    "no_url": ("image", lambda body: "url" in body["data"][0], False),
    "base64": ("image", lambda body: list(body["data"][0]), ["b64_json"]),
    "content_filter:0": ("image", lambda body: body["content_filter"][0]["level"], 0),
    "numeric_id": ("video", lambda body: isinstance(body["id"], int), True),
    "no_id": ("video", lambda body: "id" in body, False),
    "no_request_id": ("video", lambda body: "request_id" in body, False),
    "extra_fields": ("video", lambda body: "usage" in body, True),
    "no_text": ("transcription", lambda body: "text" in body, False),
    **{f"text:{kind}": ("transcription", lambda body: body["text"], text) for kind, text in TEXTS.items()},
    "words:rtl": ("chat", lambda body: body["choices"][0]["message"]["content"], TEXTS["rtl"]),
    "no_json": ("chat", lambda body: body["choices"][0]["message"]["content"][:20], "Here it is:\n```json\n"),
    "no_choices": ("chat", lambda body: body["choices"], []),
    "no_usage": ("chat", lambda body: "usage" in body, False),
    "cached_tokens:3": ("chat", lambda body: body["usage"]["prompt_tokens_details"], {"cached_tokens": 3}),
    "finish": ("chat", lambda body: body["choices"][0]["finish_reason"], "sensitive"),
    "finish:length": ("chat", lambda body: body["choices"][0]["message"]["content"], "You aske"),
    "agent_messages": ("agent", lambda body: "message" in body["choices"][0], True),
}


@pytest.mark.parametrize("fault", ANSWERS)
def test_what_answers_say(api: SandboxProcess, fault: str) -> None:
    endpoint, look, expected = ANSWERS[fault]
    assert look(ask(api, f"[[fault:{fault}]]", endpoint).json()["data"]) == expected
    assert in_ledger(api) == (1, 1, 1)


WRAPPED = {"data": ["data"], "result": ["message", "provider", "response_headers", "result"], "double": ["data"],
           "bare": ["id", "model", "request_id", "task_status"]}  # fmt: skip


@pytest.mark.parametrize("wrapper", WRAPPED)
def test_wrappers(api: SandboxProcess, wrapper: str) -> None:
    by_marker = ask(api, f"[[fault:wrapper:{wrapper}]]", "video").json()
    assert sorted(by_marker) == WRAPPED[wrapper]
    api.change("config", wrapper=wrapper)
    assert sorted(ask(api, "", "video").json()) == WRAPPED[wrapper]


# -- transcription ---------------------------------------------------------------------------------------

STREAMS = {
    "": ["delta", "delta", "done", "[DONE]"],
    "stream_crlf": ["delta", "delta", "done", "[DONE]"],
    "stream_comments": ["delta", "delta", "done", "[DONE]"],
    "stream_broken_line": ["broken", "delta", "done", "[DONE]"],
    "stream_no_done": ["delta", "delta", "done"],
    "stream_bare_done": ["done", "[DONE]"],
    "stream_error": ["delta", "error"],
}


@pytest.mark.parametrize("fault", STREAMS)
def test_streams(api: SandboxProcess, fault: str) -> None:
    answer = ask(api, f"[[fault:{fault}]]", "transcription", stream="true")
    assert answer.headers["content-type"].startswith("text/event-stream")

    def kind(data: str) -> str:
        if data == "[DONE]":
            return data
        try:
            event = json.loads(data)
            return "error" if "error" in event else str(event["type"]).rpartition(".")[2]
        except ValueError:
            return "broken"

    assert [kind(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")] == STREAMS[fault]
    assert (b"\r\n" in answer.content) is (fault == "stream_crlf")
    assert (": ping" in answer.text) is (fault == "stream_comments")


#: field, filename, data → what is seen at the proxy, and directly.
UPLOADS = {
    "good": (("file", "a.wav", AUDIO), "200", "200"),
    "wrong field": (("audio", "a.wav", AUDIO), "422 422", "400 1213"),
    "wrong type": (("file", "a.txt", b"hello"), "400 1214", "400 1214"),
    "26 MB": (("file", "a.wav", AUDIO + bytes(26 * 1024**2)), "413 text/html", "413 text/html"),
    "33 s": (("file", "a.wav", wav(speak(["amber"] * 130))), "400 1214", "400 1214"),
}


@pytest.mark.parametrize("case", UPLOADS)
def test_uploads(api: SandboxProcess, case: str) -> None:
    (field, name, data), at_proxy, direct = UPLOADS[case]

    def send(url: str, **headers: str) -> httpx.Response:
        files = {field: (name, data, "audio/wav")}
        return api.http.post(url, data={"model": "glm-asr-2512"}, files=files, headers=headers)

    assert seen(lambda: send(f"{api.url}{PATHS['transcription']}?api_token={api.token}")) == at_proxy
    url = f"{api.url}/api/paas/v4/audio/transcriptions"
    assert seen(lambda: send(url, Authorization=f"Bearer {api.token}")) == direct
    assert in_ledger(api) == ((2, 2, 2) if at_proxy == "200" else (2, 0, 0))


# -- polls -----------------------------------------------------------------------------------------------


def poll(api: SandboxProcess, task_id: Any, *, old: bool = False, read_s: float = PATIENT) -> httpx.Response:
    path = f"id?id={task_id}&" if old else f"{task_id}?"
    url = f"{api.url}/zai/api/paas/v4/async-result/{path}api_token={api.token}"
    return api.http.get(url, timeout=read_s)


def told(answer: httpx.Response) -> str:
    """A poll in a few words: its status and how many results, or its error."""
    body = answer.json()
    inside = body.get("data", body)
    if answer.status_code != 200:
        return f"{answer.status_code} {inside['error'].get('code')}"
    results = inside.get("video_result")
    reason = inside.get("message") or inside.get("error", {}).get("code")
    words = [inside.get("task_status", "missing"), None if results is None else len(results), reason]
    return " ".join(str(word) for word in words if word is not None)


#: fault (video) → what polls tell: while it runs, and when it is done.
POLLS: dict[str, tuple[list[str], list[str]]] = {
    "": (["PROCESSING"], ["SUCCESS 1", "SUCCESS 1"]),
    "unknown_at_first:1": (["400 1233", "PROCESSING"], ["SUCCESS 1"]),
    "not_found_at_first:1": (["404 None", "PROCESSING"], ["SUCCESS 1"]),
    "empty_at_first:1": (["missing", "PROCESSING"], ["SUCCESS 1"]),
    "unknown_task": (["400 1233"], ["400 1233"]),
    "use_task_id": (["400 1232"], ["400 1232"]),
    "rate_limit@poll": (["429 1302"], ["429 1302"]),
    "remote_fail": (["PROCESSING"], ["FAIL 1301", "FAIL 1301"]),
    "fail_error": (["PROCESSING"], ["FAIL 1234"]),
    "fail_message": (["PROCESSING"], ["FAIL The task failed"]),
    "fail_bare": (["PROCESSING"], ["FAIL", "FAIL"]),
    "odd_status": (["QUEUED", "processing", ""], ["SUCCESS 1"]),
    "status_missing": (["missing"], ["SUCCESS 1"]),
    "status_null": ([""], ["SUCCESS 1"]),
    "status_queued": (["QUEUED"], ["SUCCESS 1"]),
    "status_lower_case": (["processing"], ["success 1"]),
    "status_failed": (["PROCESSING"], ["FAILED The task failed", "FAILED The task failed"]),
    "success_without_url": (["PROCESSING"], ["SUCCESS 0", "SUCCESS 1"]),
    "success_without_result": (["PROCESSING"], ["SUCCESS", "SUCCESS 1"]),
    "goes_back:1": (["PROCESSING"], ["SUCCESS 0", "PROCESSING", "SUCCESS 1"]),
    "processing_forever": (["PROCESSING"], ["PROCESSING", "PROCESSING"]),
    "several_videos:3": (["PROCESSING"], ["SUCCESS 3"]),
    "no_cover": (["PROCESSING"], ["SUCCESS 1"]),
    "empty_cover": (["PROCESSING"], ["SUCCESS 1"]),
    "empty_url": (["PROCESSING"], ["SUCCESS 1"]),
}


@pytest.mark.parametrize("fault", POLLS)
def test_polls(api: SandboxProcess, fault: str) -> None:
    api.change("config", times={"viduq1-text": 60})
    task = ask(api, f"[[fault:{fault}]]", "video").json()["data"]["id"]
    running, done = POLLS[fault]
    assert [told(poll(api, task)) for _ in running] == running
    api.change("clock", advance_s=61)
    assert [told(poll(api, task)) for _ in done] == done
    assert sum(api.summary()["polls"].values()) == len(running) + len(done)
    assert in_ledger(api) == (1, 1, 1)


def test_parts_of_a_video_result(api: SandboxProcess) -> None:
    def result(fault: str) -> dict[str, str]:
        task = ask(api, f"[[fault:{fault}]]", "video").json()["data"]["id"]
        [entry] = poll(api, task).json()["data"]["video_result"]
        return dict(entry)

    assert list(result("no_cover")) == ["url"]
    assert result("empty_cover")["cover_image_url"] == ""
    assert result("empty_url")["url"] == ""


def test_url_formats_flip_at_run_time(api: SandboxProcess) -> None:
    task = ask(api, "", "video").json()["data"]["id"]
    for formats, new, old in (("both", 200, 200), ("new", 200, 404), ("old", 404, 200)):
        api.change("config", formats=formats)
        assert [poll(api, task).status_code, poll(api, task, old=True).status_code] == [new, old]


def test_gateways_that_misread_a_format(api: SandboxProcess) -> None:
    task = ask(api, "[[fault:literal_id]]", "video").json()["data"]["id"]
    assert [told(poll(api, task)), told(poll(api, task, old=True))] == ["SUCCESS 1", "400 1233"]
    task = ask(api, "[[fault:new_format_hangs]]", "video").json()["data"]["id"]
    assert seen(lambda: poll(api, task, read_s=IMPATIENT)) == "ReadTimeout"
    assert told(poll(api, task, old=True)) == "SUCCESS 1"


# -- files -----------------------------------------------------------------------------------------------

#: fault → what is seen of the file's address, again and again.
FILES = {
    "": ["200 image/png"],
    "not_there_yet:1": ["404", "200 image/png"],
    "gone": ["404", "404"],
    "expired_xml": ["403 application/xml"],
    "redirect_file": ["302 empty"],
    "redirect_loop": ["302 empty", "302 empty"],
    "redirect_private": ["302 empty"],
    "short_file:1": ["RemoteProtocolError", "200 image/png"],
    "reset_file:1": ["ReadError", "200 image/png"],
    "slow_file:2": ["ReadTimeout"],
    "no_length_file": ["200 image/png"],
    "wrong_type_file": ["200 text/plain"],
    "html_file": ["200 text/html"],
    "empty_file": ["200 empty"],
    "huge_file:1000000": ["200 image/png"],
    "huge_file_without_length:1000000": ["200 image/png"],
    "range_ignored": ["200 image/png"],
    "unavailable@file": ["503 text/html"],
}


def get(api: SandboxProcess, url: str, read_s: float = PATIENT, **headers: str) -> httpx.Response:
    return api.http.get(url, headers=headers, timeout=read_s)


def image_url(api: SandboxProcess, marker: str) -> str:
    return str(ask(api, marker).json()["data"]["data"][0]["url"])


@pytest.mark.parametrize("fault", FILES)
def test_files(api: SandboxProcess, fault: str) -> None:
    url = image_url(api, f"[[fault:{fault}]]")
    assert [seen(partial(get, api, url, patience(one))) for one in FILES[fault]] == FILES[fault]


def test_where_redirects_of_files_lead(api: SandboxProcess) -> None:
    signed = api.http.get(image_url(api, "[[fault:redirect_file]]"), follow_redirects=True)
    assert (signed.status_code, signed.url.path[:8]) == (200, "/signed/")
    assert get(api, image_url(api, "[[fault:redirect_private]]")).headers["location"].startswith("http://169.254.")
    with pytest.raises(httpx.TooManyRedirects):
        api.http.get(image_url(api, "[[fault:redirect_loop]]"), follow_redirects=True)


def test_lengths_of_files(api: SandboxProcess) -> None:
    huge = get(api, image_url(api, "[[fault:huge_file:1000000]]"))
    assert huge.headers["content-length"] == str(len(huge.content)) == "1000000"
    unsaid = get(api, image_url(api, "[[fault:huge_file_without_length:1000000]]"))
    assert ("content-length" in unsaid.headers, len(unsaid.content)) == (False, 1000000)
    assert "content-length" not in get(api, image_url(api, "[[fault:no_length_file]]")).headers


def test_ranges(api: SandboxProcess) -> None:
    url = image_url(api, "")
    whole = get(api, url).content
    part = get(api, url, Range="bytes=10-19")
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert get(api, url, Range=f"bytes=10-{len(whole)}").content == whole[10:]
    assert get(api, url, Range="bytes=10-").headers["content-range"] == f"bytes 10-{len(whole) - 1}/{len(whole)}"
    assert get(api, url, Range=f"bytes={len(whole)}-").status_code == 416
    ignored = get(api, image_url(api, "[[fault:range_ignored]]"), Range="bytes=10-19")
    assert (ignored.status_code, ignored.content) == (200, whole)


def test_files_expire(api: SandboxProcess) -> None:
    url = image_url(api, "")
    api.change("clock", advance_s=86401)
    assert get(api, url).json()["ErrMsg"] == "file not exist"
    api.change("config", expired="xml")
    assert get(api, url).status_code == 403


# -- streams of chats ------------------------------------------------------------------------------------

CHAT_STREAMS: dict[str, tuple[dict[str, Any], str, str]] = {
    # how it is asked → what comes, and how that ends
    "stream_ignored": ({"stream": True}, "application/json", ""),
    "stream_unasked": ({}, "text/event-stream", "[DONE]"),
    "stream_error:3/1301": ({"stream": True}, "text/event-stream", "Network error"),
    "stream_cut": ({"stream": True}, "text/event-stream", "data: {"),
}


@pytest.mark.parametrize("fault", CHAT_STREAMS)
def test_streams_of_chats(api: SandboxProcess, fault: str) -> None:
    body, kind, end = CHAT_STREAMS[fault]
    answer = ask(api, f"thinking [[fault:{fault}]]", "chat", **body)
    assert answer.headers["content-type"].startswith(kind)
    assert end in answer.text.strip().splitlines()[-1]
    assert ("[DONE]" in answer.text) is (end == "[DONE]")
    assert in_ledger(api) == (1, 1, 1)


# -- all of them -----------------------------------------------------------------------------------------


def test_every_fault_is_played_here() -> None:
    tables = (WIRE, ANSWERS, STREAMS, CHAT_STREAMS, POLLS, FILES)
    played = {fault.partition(":")[0].partition("@")[0] for table in tables for fault in table}
    played |= {*REFUSALS, *SHAPES, "reset_reading", "keepalive_reset", "wrapper", "literal_id", "new_format_hangs"} | {
        f"{name}_after" for name in LATE
    }
    assert sorted(FAULTS) == sorted(played - {""})
