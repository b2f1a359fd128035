"""The lines of OpenAI's Batch API, for who has such files: read as rows, and written as results.

Their form: https://platform.openai.com/docs/guides/batch.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from models.state import FINAL, JobState
from worker.wording import shown

#: How the URL of a request ends → the kinds that it may be.
KINDS_OF_URLS = {
    "/chat/completions": ("chat", "code"),
    "/images/generations": ("image",),
    "/videos/generations": ("video",),
    "/audio/transcriptions": ("transcription",),
    "/agents": ("agent",),
}


def fields_of(line: dict[str, Any], kind: str | None) -> dict[str, Any]:
    """A request's fields as a row's; without a kind it is the URL's first.

    Raises ValueError, beginning with the field's name and a colon.
    """
    url, body, custom_id = line.get("url"), line.get("body"), line.get("custom_id")
    if unknown := sorted(line.keys() - {"custom_id", "method", "url", "body"}):
        raise ValueError(f"{unknown[0]}: is no field of a batch request; it has custom_id, method, url and body")
    if not isinstance(url, str) or (kinds := kinds_of(url)) is None:
        raise ValueError(f"url: {shown(url)} is none that is known; it ends in {', '.join(KINDS_OF_URLS)}")
    if kind is not None and kind not in kinds:
        raise ValueError(f"url: {shown(url)} is for {' and '.join(kinds)} jobs, not for {kind}")
    if line.get("method", "POST") != "POST":
        raise ValueError(f"method: {shown(line['method'])} cannot be; it is POST")
    if not isinstance(body, dict):
        raise ValueError(f"body: {shown(body)} is no object with the request's fields")  # noqa: TRY004 - as above
    if custom_id is None:
        raise ValueError("custom_id: is missing; give each request one of its own")
    return {**body, "key": custom_id, **({} if kind else {"kind": kinds[0]})}


def kinds_of(url: str) -> tuple[str, ...] | None:
    path = url.partition("?")[0]
    return next((kinds for ending, kinds in KINDS_OF_URLS.items() if path.endswith(ending)), None)


#: (job, one of its outputs) → where that is.
Place = Callable[[Any, dict[str, Any]], str]
#: Location in the store → its bytes, in chunks; raises FileNotFoundError.
Get = Callable[[str], Iterable[bytes]]


def result_lines(jobs: Iterable[Any], place: Place, get: Get) -> Iterator[dict[str, Any]]:
    """What came of each request that has ended, from the rows of `report.results`.

    A row that became several jobs was one request.
    """
    for _, parts in groupby(jobs, lambda job: job.job if job.row is None else -job.row):
        together = list(parts)
        if all(job.state in FINAL for job in together):
            yield result_line(together, place, get)


def result_line(jobs: list[Any], place: Place, get: Get) -> dict[str, Any]:
    """A response, or else an error."""
    first = jobs[0]
    key = first.key or str(first.row or first.job)
    line = {"id": f"batch_req_{first.job}", "custom_id": key if len(jobs) == 1 else key.removesuffix("#1")}
    good = [job for job in jobs if job.state == JobState.SUCCEEDED]
    if not good:
        code, message = first.error_code or first.state, first.error_message or f"the job was {first.state}"
        return {**line, "response": None, "error": error(code, message)}
    try:
        answer = body(good, place, get)
    except FileNotFoundError:
        gone = error("output_gone", "the answer is not in the store of outputs any more")
        return {**line, "response": None, "error": gone}
    return {**line, "response": {"status_code": 200, "request_id": good[0].request_id, "body": answer}, "error": None}


def error(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


def body(jobs: list[Any], place: Place, get: Get) -> Any:
    """The provider's answer, where it is kept as it was; else one with places that do not expire."""
    outputs = [(job, each) for job in jobs for each in job.outputs or []]
    for _, each in outputs:
        if each["role"] == "json":
            return json.loads(b"".join(get(each["location"])))
    videos = [(job, each) for job, each in outputs if each["role"] == "video"]
    if videos:
        covers = {job.job: place(job, each) for job, each in outputs if each["role"] == "cover"}
        results = [{"url": place(job, each), "cover_image_url": covers.get(job.job)} for job, each in videos]
        return {"task_status": "SUCCESS", "video_result": results}
    created = int(jobs[0].finished_at.timestamp())
    return {"created": created, "data": [{"url": place(job, each)} for job, each in outputs]}
