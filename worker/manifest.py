"""Reads manifests, CSV or JSONL (or of OpenAI's Batch API), a row at a time, and names what is wrong with a row.

`row` is the record's number from 1 (a CSV's header is none); `line` is where it begins in the file.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pydantic import ValidationError

from worker.fields import OWN
from worker.folders import Files
from worker.kind import Kind
from worker.kinds import KINDS
from worker.openai_batch import fields_of
from worker.producer import Row, split
from worker.wording import explain

Format = Literal["csv", "jsonl", "openai"]
#: Room for the largest image as base64 (5 MB are 7 MB of it).
MAX_LINE_BYTES = 8_000_000
csv.field_size_limit(MAX_LINE_BYTES)  # of the whole process; Python's own is 128 KiB


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row cannot be enqueued. `field`: None where it is the row as a whole. `key`: the row's, if it is good."""

    row: int | None
    line: int
    field: str | None
    message: str
    key: str | None = None

    def __str__(self) -> str:
        where = f"row {self.row} (line {self.line})" if self.row is not None else f"line {self.line}"
        return f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"


class ManifestError(Exception):
    """The file as a whole cannot be read."""


@dataclass(frozen=True, slots=True)
class Record:
    row: int
    line: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Good:
    """The jobs of a valid row, and what is odd about it."""

    rows: list[Row]
    warnings: list[str]


def format_of(name: str) -> Format | None:
    """By the file's name; None if it tells nothing."""
    match Path(name).suffix.lower():
        case ".csv":
            return "csv"
        case ".jsonl" | ".ndjson":
            return "jsonl"
        case _:
            return None


def read(
    file: BinaryIO, form: Format, kind: Kind | None, folder: Files, *, model: str | None = None
) -> Iterator[Good | Problem]:
    """Every row as what it becomes, or why it cannot. Raises ManifestError.

    `kind`: of rows that name none. `folder`: where the files lie that rows name. `model`: for rows of that kind
    that name none.
    """
    keys: dict[int, int] = {}
    number = 0
    for each in records(file, form):
        number += 1
        record = each
        if isinstance(each, Record):
            if form == "openai":
                record = from_openai(each, kind)
            elif form == "jsonl" and looks_like_openai(each.fields):
                record = Problem(each.row, each.line, "custom_id", OPENAI)
        if isinstance(record, Problem):
            yield record
            continue
        yield from checked(record, kind, folder, model, keys)
    if not number:
        raise ManifestError("the file has no rows")


#: No kind has such fields.
OPENAI = "is of a request to OpenAI's Batch API; if the file is one of those, say so: its format is `openai`"


def looks_like_openai(fields: dict[str, Any]) -> bool:
    return {"custom_id", "url", "body"} <= fields.keys()


def from_openai(record: Record, kind: Kind | None) -> Record | Problem:
    try:
        return replace(record, fields=fields_of(record.fields, kind.name if kind else None))
    except ValueError as error:
        field, _, message = str(error).partition(": ")
        return Problem(record.row, record.line, field, message)


def checked(
    record: Record, kind: Kind | None, folder: Files, model: str | None, keys: dict[int, int]
) -> Iterator[Good | Problem]:
    """One record's outcome; `keys` holds a hash of each key that was seen or made, and its row."""
    problems: list[Problem] = []
    own: dict[str, Any] = {}

    def problem(field: str | None, message: str) -> None:
        problems.append(Problem(record.row, record.line, field, message, own.get("key")))

    given = {name: value for name, value in record.fields.items() if value is not None}
    rest = {name: value for name, value in given.items() if name not in OWN}
    for name in (name for name in OWN if name in given):  # the key first, as problems have it
        try:
            own[name] = OWN[name](given[name])
        except ValueError as error:
            problem(name, str(error))
    one = KINDS[own["kind"]] if "kind" in own else None if "kind" in record.fields else kind
    if one is None:
        if not problems:
            problem(
                "kind",
                f"is missing; give the row one, or name one for all of them; kinds are {', '.join(sorted(KINDS))}",
            )
        yield from problems
        return
    if model is not None and one is kind:
        rest.setdefault("model", model)
    rows: list[Row] = []
    warnings: list[str] = []
    try:
        found = one.check(rest, folder)
        rows, warnings = list(split(found, one, number=record.row, order=record.row, own=own, row=rest)), found.warnings
    except ValidationError as error:
        for each in error.errors(include_url=False):
            problem(*explain(each))
    except ValueError as error:
        field, _, message = str(error).partition(": ")
        problem(field, message)
    # A row that becomes several jobs has a key for each: they too must be its own.
    for key in dict.fromkeys([own.get("key"), *(row.key for row in rows if row.named)]):
        if isinstance(key, str) and (first := keys.setdefault(hash(key), record.row)) != record.row:
            problem("key", f"{key!r} is in row {first} already; give each row its own key")
    if problems:
        yield from problems
        return
    yield Good(rows, warnings)


def records(file: BinaryIO, form: Format) -> Iterator[Record | Problem]:
    return csv_records(file) if form == "csv" else jsonl_records(file)


TOO_LONG = f"is longer than {MAX_LINE_BYTES // 10**6} MB; give large images as URLs"


def lines(file: BinaryIO) -> Iterator[tuple[int, str | Problem]]:
    """Decoded lines with their numbers. A line that is no UTF-8, or far too long, is a problem of its own."""
    number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(MAX_LINE_BYTES)
            yield number, Problem(None, number, None, TOO_LONG)
            continue
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            yield number, raw.decode()
        except UnicodeDecodeError as error:
            found = f"is not UTF-8 (byte {raw[error.start]:#04x} at place {error.start + 1}); save the file as UTF-8"
            yield number, Problem(None, number, None, found)


ONE_A_LINE = 'write one object a line, as {"prompt": "..."}'


def jsonl_records(file: BinaryIO) -> Iterator[Record | Problem]:
    row = 0
    for line, text in lines(file):
        if isinstance(text, str) and not text.strip():
            continue
        row += 1
        if isinstance(text, Problem):
            yield Problem(row, line, None, text.message)
            continue
        try:
            fields = json.loads(text.rstrip(), object_pairs_hook=without_doubles)
        except json.JSONDecodeError as error:
            yield Problem(row, line, None, f"is no JSON: {error.msg} at place {error.colno}; {ONE_A_LINE}")
        except ValueError as error:
            yield Problem(row, line, None, f"is no JSON: {error}")
        except RecursionError:
            yield Problem(row, line, None, "is nested too deeply")
        else:
            if isinstance(fields, dict):
                yield Record(row, line, fields)
            else:
                yield Problem(row, line, None, f"is no JSON object but {text.strip()[:60]}; {ONE_A_LINE}")


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; ValueError if it has a field twice, of which one would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the field {double!r} is there twice")
    return found


QUOTES = "a cell that begins with a quote ends with one, and has its own quotes doubled; what follows was not read"


def csv_records(file: BinaryIO) -> Iterator[Record | Problem]:
    bad: list[Problem] = []
    at = 0

    def texts() -> Iterator[str]:
        nonlocal at
        for number, text in lines(file):
            at = number
            if isinstance(text, Problem):
                bad.append(text)
                yield "\n"  # keeps the reader in step; the row is replaced by the problem
            else:
                yield text

    reader = csv.reader(texts(), strict=True)
    header: list[str] | None = None
    row = 0
    while True:
        begins = at + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(row + 1, begins, None, f"is no valid CSV: {error}; {QUOTES}")
            return  # where a quote was left open, nothing after it can be trusted
        if bad:
            if header is None:
                raise ManifestError(f"line {bad[0].line}: {bad[0].message}")
            row += 1
            yield Problem(row, bad[0].line, None, bad[0].message)
            bad.clear()
        elif header is None:
            header = read_header(cells)
        elif cells and any(cells):
            row += 1
            if len(cells) != len(header):
                remedy = "quote cells with commas" if len(cells) > len(header) else "give each column a cell, if empty"
                yield Problem(row, begins, None, f"has {len(cells)} cells, the header {len(header)}; {remedy}")
                continue
            yield Record(row, begins, {name: cell for name, cell in zip(header, cells, strict=True) if cell != ""})


def read_header(cells: list[str]) -> list[str]:
    """The columns' names. Raises ManifestError where one is empty or twice there."""
    names = [cell.strip() for cell in cells]
    if not any(names):
        raise ManifestError("line 1: the header is empty; the first line names the columns")
    if len(names) == 1 and (found := next((each for each in ";\t|" if each in names[0]), None)):
        raise ManifestError(f"line 1: the columns are separated by {found!r}; save the file with commas")
    for place, name in enumerate(names, 1):
        if not name:
            raise ManifestError(f"line 1: column {place} has no name")
        if name in names[: place - 1]:
            raise ManifestError(f"line 1: the column {name!r} is there twice")
    return names
