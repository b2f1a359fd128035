"""A batch's results as text: the manifest of an export, or the lines of OpenAI's Batch API."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from worker import export
from worker.export import Form
from worker.openai_batch import result_lines
from worker.report import as_json
from worker.storage import Storage


def written(jobs: Iterable[Any], form: Form, site: str, storage: Storage) -> Iterator[str]:
    """Lines with their ends. `site`: the address of this application, for the URLs of outputs."""

    def place(job: Any, output: dict[str, Any]) -> str:
        return f"{site}/api/v1/jobs/{job.job}/outputs/{output['index']}"

    def line(job: Any) -> dict[str, Any]:
        names = ("role", "mime", "bytes", "sha256")
        outputs = [{"url": place(job, each), **{name: each[name] for name in names}} for each in job.outputs or []]
        return export.line(job, outputs)

    match form:
        case "jsonl":
            yield from map(dumped, map(line, jobs))
        case "csv":
            yield cells(export.FIELDS)
            for each in map(line, jobs):
                yield cells([export.cell(each.get(name)) for name in export.FIELDS])
        case "openai":
            yield from map(dumped, result_lines(jobs, place, storage.get))


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=as_json) + "\n"


def cells(values: Iterable[Any]) -> str:
    file = io.StringIO()
    csv.writer(file).writerow(values)
    return file.getvalue()
