"""What the API may do to a call, a poll or a file, and what must have become of the job after it."""

from collections import Counter
from typing import Any

from sandbox import process
from sandbox.tones import speak, wav
from sandbox.valkey import free_port
from tests.support.core import Core
from tests.support.stack import wait_until

#: fault by marker → state at the end, error's code, requests made, possibly charged
IMAGES: dict[str, tuple[str, str, str | None, int, bool]] = {
    "content refused": ("content", "failed", "1301", 1, False),
    "blocked by policy": ("policy", "failed", "1300", 1, False),
    "bad parameter": ("bad_parameter", "failed", "1214", 1, False),
    "code as a number": ("error_code_number", "failed", "1214", 1, False),
    "known already": ("duplicate", "held", "1231", 1, True),
    "500 before": ("server_error", "held", "1234", 2, True),
    "500 after": ("server_error_after", "held", "1234", 2, True),
    "proxy's 500": ("proxy_error_after", "held", "500", 2, True),
    "502 before": ("bad_gateway", "held", "502", 2, True),
    "504 after": ("gateway_timeout_after", "held", "504", 2, True),
    "reset before": ("reset_before", "held", "answer_lost", 2, True),
    "reset after": ("reset_after", "held", "answer_lost", 2, True),
    "closed after": ("close_after", "held", "answer_lost", 2, True),
    "HTML with 200": ("html", "held", "not_json", 2, True),
    "nothing with 200": ("empty", "held", "not_json", 2, True),
    "half a JSON": ("truncated", "held", "not_json", 2, True),
    "cut in mid-body": ("chunked_short", "held", "answer_lost", 2, True),
    "error inside 200": ("error_in_200", "held", "1234", 2, True),
    "no image in it": ("no_data", "failed", "unreadable_answer", 1, False),
    "no URL in it": ("no_url", "failed", "unreadable_answer", 1, False),
    "base64": ("base64", "succeeded", None, 1, False),
    "byte order mark": ("bom", "succeeded", None, 1, False),
    "compressed": ("gzip", "succeeded", None, 1, False),
    "no content type": ("no_content_type", "succeeded", None, 1, False),
    "unknown fields": ("extra_fields", "succeeded", None, 1, False),
    "filter level on success": ("content_filter", "succeeded", None, 1, False),
    "connection closed unsaid": ("keepalive_closed", "succeeded", None, 1, False),
    "double wrapper": ("wrapper:result", "succeeded", None, 1, False),
    "file not there yet": ("not_there_yet", "succeeded", None, 1, False),
    "short file": ("short_file", "succeeded", None, 1, False),
    "file cut off": ("reset_file", "succeeded", None, 1, False),
    "file without length": ("no_length_file", "succeeded", None, 1, False),
    "file of a wrong type": ("wrong_type_file", "succeeded", None, 1, False),
    "file elsewhere": ("redirect_file", "succeeded", None, 1, False),
}
VIDEOS: dict[str, tuple[str, str, str | None, int, bool]] = {
    "lost after": ("reset_after", "held", "answer_lost", 1, True),
    "numeric id": ("numeric_id", "succeeded", None, 1, False),
    "request_id not echoed": ("no_request_id", "succeeded", None, 1, False),
    "no id": ("no_id", "failed", "unreadable_answer", 1, False),
    "unknown at first": ("unknown_at_first", "succeeded", None, 1, False),
    "404 at first": ("not_found_at_first", "succeeded", None, 1, False),
    "empty at first": ("empty_at_first", "succeeded", None, 1, False),
    "odd states": ("odd_status", "succeeded", None, 1, False),
    "lower case": ("status_lower_case", "succeeded", None, 1, False),
    "success, URL later": ("success_without_url", "succeeded", None, 1, False),
    "goes back": ("goes_back", "succeeded", None, 1, False),
    "failed with a reason": ("fail_error", "failed", "1234", 1, True),
    "failed bare": ("fail_bare", "failed", "remote_failed", 1, True),
    "no cover": ("no_cover", "succeeded", None, 1, False),
    "two videos": ("several_videos", "succeeded", None, 1, False),
    "polls refused for a while": ("rate_limit@poll", "succeeded", None, 1, False),
    "result gone": ("gone", "failed", "output_lost", 1, False),
    "a page for a file": ("html_file", "failed", "output_lost", 1, False),
    "an empty file": ("empty_file", "failed", "output_lost", 1, False),
}
ONCE = {"rate_limit@poll"}


def play(core: Core, kind: str, table: dict[str, Any], **more: str) -> None:
    inputs = [
        {"key": name, "prompt": f"{name} [[fault:{fault}]]", **more} for name, (fault, *_) in table.items()
        if fault not in ONCE
    ]  # fmt: skip
    for name, (fault, *_) in table.items():
        if fault in ONCE:
            core.stand_in.play({"fault": fault.partition("@")[0], "times": 3,
                                "match": {"endpoint": "async_result", "key": name}})  # fmt: skip
            inputs.append({"key": name, "prompt": name, **more})
    core.enqueue(kind, *inputs)
    assert core.work() == 0, core.log()
    # A lost task holds a slot of the provider's that we gave on: its 429 is no matter of these tables.
    rows = core.rows("""
        select key, state, error_code, (
            select count(*) from attempts a where a.job_id = j.id and a.error_code is distinct from '1302'
        ), possibly_charged from jobs j
    """)
    found = {row.key: tuple(row)[1:] for row in rows}
    assert found == {name: expected[1:] for name, expected in table.items()}
    assert core.audit() == []


def test_images(core: Core) -> None:
    play(core, "image", IMAGES)


def test_videos(core: Core) -> None:
    core.stand_in.change("limits", **{"viduq1-text": 5})
    play(core, "video", VIDEOS, model="viduq1-text")


def test_the_start_of_what_was_no_success_is_kept_without_the_token(core: Core) -> None:
    core.enqueue("image", {"prompt": "x [[fault:html]]"})
    core.stand_in.play({"fault": "proxy_bad_token", "times": 1})  # it echoes the query, the token with it
    assert core.work() == 0, core.log()
    kept = [row.excerpt for row in core.rows("select excerpt from attempts order by number")]
    assert len(kept) == 3
    assert all(kept)
    assert core.stand_in.token not in "".join(kept)


def test_while_the_api_is_out_of_reach_all_waits_and_nothing_fails(core: Core) -> None:
    core.enqueue("image", *({"prompt": f"p{n}"} for n in range(8)))
    port = free_port()
    running = core.start(MEDIAJOBS_API_BASE_URL=f"http://127.0.0.1:{port}/zai")
    try:
        wait_until(lambda: "the account is paused" in core.reasons(), what="the account's pause")
        assert "could not be reached" in core.reasons()
        api = process.start("--speed", "200", port=port)
        assert running.wait(timeout=60) == 0, core.log()
    finally:
        running.kill()
        running.wait()
    assert set(core.states().values()) == {"succeeded"}
    assert Counter(row.outcome for row in core.rows("select outcome from attempts"))["answered"] == 8
    assert core.audit(api) == []
    api.stop()


def test_a_task_that_never_ends_gives_its_slot_to_others_and_is_held_in_the_end(core: Core) -> None:
    # One at a time, and the first one hangs.
    core.enqueue("video", {"prompt": "x [[fault:processing_forever]]"}, {"prompt": "y"}, {"prompt": "z"})
    assert core.work(MEDIAJOBS_STALLED_S="0.3") == 0, core.log()
    hung, *others = core.rows("select id, state, error_code, cost from jobs order by id")
    assert (hung.state, hung.error_code, float(hung.cost)) == ("held", "stalled", 0.2)
    assert {each.state for each in others} == {"succeeded"}
    events = core.rows(
        "select source || ' ' || target as step, code from events where job_id = :id order by id", id=hung.id
    )
    assert [tuple(each) for each in events][-2:] == [("waiting waiting", "stalled"), ("waiting held", "stalled")]
    assert core.audit() == []


def test_a_lost_answer_is_sent_again_with_the_same_id_and_1231_says_that_it_was_there(core: Core) -> None:
    (core.folder / "a.wav").write_bytes(wav(speak(["amber"])))
    core.enqueue("transcription", {"file": "a.wav"})
    core.stand_in.change("config", duplicates="refuse")
    core.stand_in.play({"fault": "reset_after", "times": 1})
    assert core.work() == 0, core.log()
    [row] = core.rows("select state, error_code, possibly_charged from jobs")
    assert tuple(row) == ("held", "1231", True)
    first, second = core.rows("select request_id from attempts order by number")
    assert first == second
    assert core.stand_in.summary()["charged"] == 1
    assert core.audit() == []


def test_after_a_definite_refusal_the_id_is_a_new_one(core: Core) -> None:
    core.enqueue("video", {"prompt": "x", "model": "viduq1-text"})
    core.stand_in.play({"fault": "rate_limit", "times": 1})
    assert core.work() == 0, core.log()
    first, second = core.rows("select request_id, outcome from attempts order by number")
    assert (first.outcome, second.outcome) == ("rejected", "answered")
    assert first.request_id != second.request_id
    assert core.audit() == []
