"""Writes a batch as a folder: its files, and a manifest that joins each row to what became of it."""

import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from sqlalchemy import Engine

from worker.openai_batch import result_lines
from worker.report import as_json, results
from worker.storage import Storage

Form = Literal["jsonl", "csv", "openai"]
SUFFIXES: dict[Form, str] = {"jsonl": "jsonl", "csv": "csv", "openai": "openai.jsonl"}
FIELDS = (
    "row",
    "key",
    "job",
    "kind",
    "state",
    "error",
    "attempts",
    "cost",
    "possibly_charged",
    "outputs",
    "text",
    "problems",
    "after",
)


@dataclass
class Exported:
    """`files`: new ones; `already`: those that were there from an earlier export."""

    jobs: int = 0
    files: int = 0
    already: int = 0
    bytes: int = 0


def export(
    engine: Engine,
    storage: Storage,
    batch_id: int,
    folder: Path,
    *,
    form: Form,
    on_job: Callable[[], None],
) -> Exported:
    """Export a batch; what is there already is left as it is. The manifest is replaced at the end, whole."""
    (folder / "files").mkdir(parents=True, exist_ok=True)
    exported = Exported()
    manifest = folder / f"manifest.{SUFFIXES[form]}"
    fresh = manifest.with_name(f".{manifest.name}.new")

    def jobs() -> Iterator[Any]:
        for row in results(engine, batch_id):
            for output in row.outputs or []:
                fetch(output, row, storage, folder, exported)
            exported.jobs += 1
            on_job()
            yield row

    lines = result_lines(jobs(), path_of, storage.get) if form == "openai" else map(manifest_line, jobs())
    with fresh.open("w", encoding="utf-8", newline="") as file:
        write = writer(file, form)
        for each in lines:
            write(each)
    fresh.replace(manifest)
    return exported


def path_of(row: Any, output: dict[str, Any]) -> str:
    """Where a job's output lies in the folder."""
    return f"files/{row.row or 0:06d}-{row.job}-{output['index']}{Path(output['location']).suffix}"


def manifest_line(row: Any) -> dict[str, Any]:
    names = ("role", "mime", "bytes", "sha256")
    return line(
        row, [{"path": path_of(row, each), **{name: each[name] for name in names}} for each in row.outputs or []]
    )


def line(row: Any, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """A manifest's line."""
    error = {"code": row.error_code, "message": row.error_message} if row.error_code else None
    text = next((each["text"] for each in row.outputs or [] if each["text"] is not None), None)
    return {
        "row": row.row,
        "key": row.key,
        "job": row.job,
        "kind": row.kind,
        "state": row.state,
        "error": error,
        "attempts": row.attempts,
        "cost": float(row.cost),
        "possibly_charged": row.possibly_charged,
        "outputs": outputs,
        **({"text": text} if text is not None else {}),
        **({"problems": row.problems} if row.problems else {}),
        **({"after": row.after} if row.after else {}),
    }


def writer(file: TextIO, form: Form) -> Callable[[dict[str, Any]], None]:
    if form != "csv":
        return lambda given: print(json.dumps(given, ensure_ascii=False, default=as_json), file=file)
    table = csv.DictWriter(file, FIELDS)
    table.writeheader()
    return lambda given: table.writerow({name: cell(given.get(name)) for name in FIELDS})


def cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value


def fetch(output: dict[str, Any], row: Any, storage: Storage, folder: Path, exported: Exported) -> None:
    """Bring one output into the folder: a hard link where the store lies on the same disk, else a copy."""
    target = folder / path_of(row, output)
    if target.exists() and target.stat().st_size == output["bytes"]:
        exported.already += 1
    else:
        fresh = target.with_name(f".{target.name}.new")
        fresh.unlink(missing_ok=True)
        bring(storage, output["location"], fresh)
        fresh.replace(target)
        exported.files += 1
    exported.bytes += output["bytes"]


def bring(storage: Storage, location: str, target: Path) -> None:
    local = storage.local_path(location)
    if local is not None:
        try:
            os.link(local, target)
        except OSError:  # another disk, or one without hard links
            shutil.copyfile(local, target)
        return
    with target.open("wb") as file:
        file.writelines(storage.get(location))
