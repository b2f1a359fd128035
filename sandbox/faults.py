"""The faults that the sandbox can play, each with the point at which it acts: one table.

Points, in the order of a call: on `arrival`, before its body is read (by rule only), `before` the work
(nothing is charged), `after` it (charged, and the answer is lost), on the `answer` (its JSON), on the
`wire` (its bytes). Which calls it is for is told by `at`: submissions, polls or files; a rule or a
marker may name another. `docs/sandbox.md` lists them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox import early, edits, mangle
from sandbox.early import ends, odd_error, refuses
from sandbox.edits import failed, status
from sandbox.refusals import LATE, REFUSALS, SHAPES

POINTS = ("arrival", "before", "after", "answer", "wire")
SUBMIT, POLL, FILE, BOTH = ("submit",), ("poll",), ("file",), ("submit", "poll")


@dataclass(frozen=True, slots=True)
class Fault:
    """`act` takes the scene and, on the answer and the wire, what was to be sent."""

    point: str
    act: Callable[..., Any]
    at: tuple[str, ...] = SUBMIT


FAULTS: dict[str, Fault] = {
    **{name: Fault("before", refuses(refusal)) for name, refusal in REFUSALS.items()},
    **{name: Fault("before", odd_error(name)) for name in SHAPES},
    "reset_reading": Fault("arrival", ends("reset")),
    "reset_before": Fault("before", ends("reset")),
    "close_before": Fault("before", ends("close")),
    "hang_before": Fault("before", ends("hang")),
    "tls_abort": Fault("before", early.tls_abort),
    "redirect_307": Fault("before", early.redirect(307)),
    "redirect_302": Fault("before", early.redirect(302)),
    **{f"{name}_after": Fault("after", refuses(REFUSALS[name])) for name in LATE},
    "reset_after": Fault("after", ends("reset")),
    "close_after": Fault("after", ends("close")),
    "hang_after": Fault("after", ends("hang")),
    # what the answer says
    "error_in_200": Fault("answer", edits.error_in_200),
    "base64": Fault("answer", edits.base64),
    "no_data": Fault("answer", edits.no_data),
    "no_url": Fault("answer", edits.no_url),
    "numeric_id": Fault("answer", edits.numeric_id),
    "no_id": Fault("answer", edits.no_id),
    "no_request_id": Fault("answer", edits.no_request_id, BOTH),
    "extra_fields": Fault("answer", edits.extra_fields, BOTH),
    "created_ahead": Fault("answer", edits.created_ahead),
    "content_filter": Fault("answer", edits.content_filter, BOTH),
    "wrapper": Fault("answer", edits.wrapper),
    "text": Fault("answer", edits.text),
    "no_text": Fault("answer", edits.no_text),
    "words": Fault("answer", edits.words),
    "no_json": Fault("answer", edits.no_json),
    "no_choices": Fault("answer", edits.no_choices, BOTH),
    "no_usage": Fault("answer", edits.no_usage),
    "cached_tokens": Fault("answer", edits.cached_tokens),
    "finish": Fault("answer", edits.finish),
    "agent_messages": Fault("answer", edits.agent_messages, BOTH),
    "stream_ignored": Fault("answer", edits.stream_ignored),
    "stream_unasked": Fault("answer", edits.stream_unasked),
    # how it goes out
    "truncated": Fault("wire", mangle.truncated),
    "html": Fault("wire", mangle.html),
    "empty": Fault("wire", mangle.empty),
    "invalid_utf8": Fault("wire", mangle.invalid_utf8),
    "bom": Fault("wire", mangle.bom),
    "gzip": Fault("wire", mangle.gzip),
    "gzip_broken": Fault("wire", mangle.gzip_broken),
    "json_twice": Fault("wire", mangle.json_twice),
    "text_plain": Fault("wire", mangle.text_plain),
    "no_content_type": Fault("wire", mangle.no_content_type),
    "chunked_short": Fault("wire", mangle.chunked_short),
    "short_body": Fault("wire", mangle.short_body),
    "reset_midway": Fault("wire", mangle.reset_midway),
    "stalls": Fault("wire", mangle.stalls),
    "slow_headers": Fault("wire", mangle.slow_headers),
    "slow_body": Fault("wire", mangle.slow_body),
    "date_skew": Fault("wire", mangle.date_skew),
    "keepalive_closed": Fault("wire", mangle.keepalive_closed),
    "keepalive_reset": Fault("wire", mangle.keepalive_reset),
    "late": Fault("wire", mangle.late),
    "stream_crlf": Fault("wire", mangle.stream_crlf),
    "stream_comments": Fault("wire", mangle.stream_comments),
    "stream_broken_line": Fault("wire", mangle.stream_broken_line),
    "stream_no_done": Fault("wire", mangle.stream_no_done),
    "stream_error": Fault("wire", mangle.stream_error),
    "stream_cut": Fault("wire", mangle.stream_cut),
    "stream_bare_done": Fault("wire", mangle.stream_bare_done),
    # polls
    "unknown_task": Fault("before", refuses(REFUSALS["unknown_task"]), POLL),
    "use_task_id": Fault("before", refuses(REFUSALS["use_task_id"]), POLL),
    "unknown_at_first": Fault("before", early.at_first(early.unknown_task), POLL),
    "not_found_at_first": Fault("before", early.at_first(early.not_found), POLL),
    "empty_at_first": Fault("before", early.at_first(early.nothing), POLL),
    "literal_id": Fault("before", early.literal_id, POLL),
    "new_format_hangs": Fault("before", early.new_format_hangs, POLL),
    "remote_fail": Fault("answer", failed(lambda _: {"error": edits.error("1301", "The video was refused")}), POLL),
    "fail_error": Fault("answer", failed(lambda _: {"error": edits.error("1234", "Network error")}), POLL),
    "fail_message": Fault("answer", failed(lambda _: {"message": "The task failed"}), POLL),
    "fail_bare": Fault("answer", failed(lambda _: {}), POLL),
    "odd_status": Fault("answer", edits.odd_status, POLL),
    "status_missing": Fault("answer", edits.status_missing, POLL),
    "status_null": Fault("answer", status(None, only=edits.PROCESSING), POLL),
    "status_queued": Fault("answer", status("QUEUED", only=edits.PROCESSING), POLL),
    "status_lower_case": Fault("answer", status(str.lower), POLL),
    "status_failed": Fault("answer", edits.status_failed, POLL),
    "success_without_url": Fault("answer", edits.success_without_url, POLL),
    "success_without_result": Fault("answer", edits.success_without_result, POLL),
    "goes_back": Fault("answer", edits.goes_back, POLL),
    "processing_forever": Fault("answer", edits.processing_forever, POLL),
    "no_cover": Fault("answer", edits.no_cover, POLL),
    "empty_cover": Fault("answer", edits.empty_cover, POLL),
    "empty_url": Fault("answer", edits.empty_url, POLL),
    "several_videos": Fault("answer", edits.several_videos, POLL),
    # files
    "not_there_yet": Fault("before", early.not_there_yet, FILE),
    "gone": Fault("before", early.missing_file, FILE),
    "expired_xml": Fault("before", early.expired_xml, FILE),
    "redirect_file": Fault("before", early.redirect_file, FILE),
    "redirect_loop": Fault("before", early.redirect_loop, FILE),
    "redirect_private": Fault("before", early.redirect_private, FILE),
    "short_file": Fault("wire", mangle.short_file, FILE),
    "reset_file": Fault("wire", mangle.reset_file, FILE),
    "slow_file": Fault("wire", mangle.slow_body, FILE),
    "no_length_file": Fault("wire", mangle.no_length, FILE),
    "wrong_type_file": Fault("wire", mangle.wrong_type_file, FILE),
    "html_file": Fault("wire", mangle.html_file, FILE),
    "empty_file": Fault("wire", mangle.empty_file, FILE),
    "huge_file": Fault("wire", mangle.huge_file, FILE),
    "huge_file_without_length": Fault("wire", mangle.huge_file_without_length, FILE),
    "range_ignored": Fault("answer", early.range_ignored, FILE),
}
