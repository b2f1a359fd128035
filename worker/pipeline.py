"""Rows that come after others: what they may name, and what becomes of it. Pure.

`after` names jobs of the batch by their keys; `references` tells how a row takes what they made.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provider.wire import Json
from worker.kind import Kind
from worker.references import FIRST, Reference, is_reference, references
from worker.wording import shown

#: Outputs that are files, not text.
FILES = frozenset({"image", "cover", "video", "audio", "file"})


@dataclass(frozen=True, slots=True)
class Use:
    """A row's input takes this output. `file`: as a file, else as text; `field`: where."""

    field: str
    role: str
    key: str
    file: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """A row that comes after others. `place`: of its job among those that are made with it."""

    place: int
    row: int | None
    key: str | None
    after: tuple[str, ...]
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Misplaced:
    """Why a row cannot come after what it names."""

    place: int
    row: int | None
    key: str | None
    field: str
    message: str

    def __str__(self) -> str:
        where = f"row {self.row}: " if self.row is not None else f"key {self.key!r}: " if self.key else ""
        return f"{where}{self.field}: {self.message}"


class AfterError(ValueError):
    """Rows name what they cannot come after."""

    def __init__(self, found: Sequence[Misplaced]) -> None:
        self.found = found
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        super().__init__("; ".join(map(str, found[:5])) + more)


# -- what a row says ---------------------------------------------------------------------------------


def uses_of(args: Json, kind: Kind, after: Sequence[str], row: Json | None = None) -> list[Use]:
    """What an input takes of the jobs that it comes after. Raises ValueError, its text beginning with the field.

    Where a row comes after nothing, braces in its text and in names of files are themselves. `row`: what was written,
    whose fields may have become parts of others.
    """
    found: list[Use] = []
    for path, text in texts(args):
        file = bool(kind.files.intersection(path))
        if "{{" not in text or not (after or (file and is_reference(text))):
            continue
        field = written(path[0], text, row or {})
        if path == ("model",):
            raise ValueError(
                f"{field}: is {shown(text)}; name it here, for what it costs and its slots are known only then"
            )
        try:
            given = alone(text) if file else list(references(text))
            found += [Use(field, each.role, key_of(each, after), file) for each in given]
        except ValueError as error:
            raise ValueError(f"{field}: {error}") from None
    return found


def written(field: str, text: str, row: Json) -> str:
    """The field of the row in which a text of the input was written."""
    for name in (field, *row):
        if row.get(name) == text:
            return name
    return next((name for name, value in row.items() if isinstance(value, str | list) and text in value), field)


def alone(text: str) -> list[Reference]:
    """What a field for a file refers to. Raises ValueError where there is more than that in it."""
    given = list(references(text))
    if given and given[0].end - given[0].start < len(text.strip()):
        raise ValueError(f"has {shown(text)}; an output that is a file stands alone")
    return given


def texts(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text in an input, with the names on the way to it."""
    match value:
        case str():
            yield path, value
        case dict():
            for name, each in value.items():
                yield from texts(each, (*path, name))
        case list():
            for each in value:
                yield from texts(each, path)


def key_of(reference: Reference, after: Sequence[str]) -> str:
    """The key that is meant; without one, of the one job that the row comes after."""
    if reference.key is None:
        if len(after) != 1:
            many = "comes after several; say of which" if after else "comes after none; name one in `after`"
            raise ValueError(f"takes {reference.role!r}, but the row {many}: {{{{ {reference.role} of KEY }}}}")
        return after[0]
    if reference.key not in after:
        raise ValueError(f"takes {reference.role!r} of {reference.key!r}, which `after` does not name; add it there")
    return reference.key


# -- what rows say together --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What cannot be made: rows that are wrong themselves, and `along` what comes after rows that are left out."""

    wrong: Sequence[Misplaced] = ()
    along: Sequence[Misplaced] = ()

    @property
    def places(self) -> set[int]:
        return {each.place for each in (*self.wrong, *self.along)}


def left_out(
    followers: Sequence[Follower],
    kinds: Mapping[str, str],
    several: Collection[str],
    roles: Mapping[str, Sequence[str]],
    bad: Collection[str] = (),
) -> LeftOut:
    """What is wrong with rows that come after others: unknown keys, circles, outputs that nobody makes. All at once.

    kinds: key → kind, of all that may be named. several: keys of rows that are several jobs.
    roles: kind → the roles of what it makes, that of its first output first. bad: keys of rows that were refused
    by themselves: what comes after them is not to blame.
    """
    wrong: list[Misplaced] = []
    seeds: set[int] = set()
    for each in followers:
        for key in each.after:
            if key not in kinds and (key in bad or key.rpartition("#")[0] in bad):
                seeds.add(each.place)
            elif key not in kinds:
                wrong.append(told(each, "after", unknown(key, several)))
        for use in each.uses:
            kind = kinds.get(use.key)
            if kind is not None and (misuse := misused(use, kind, roles[kind])) is not None:
                wrong.append(told(each, use.field, misuse))
    wrong += circles(followers)
    blamed = {each.place for each in wrong}
    lost = left_without(followers, seeds | blamed) - blamed
    return LeftOut(
        wrong, [told(each, "after", "comes after a row that is left out") for each in followers if each.place in lost]
    )


def told(follower: Follower, field: str, message: str) -> Misplaced:
    return Misplaced(follower.place, follower.row, follower.key, field, message)


def unknown(key: str, several: Collection[str]) -> str:
    if key in several:
        return f"{key!r} is several jobs; name one of them, such as {key}#1"
    return f"{key!r} is the key of no good row of this file, nor of its batch"


def misused(use: Use, kind: str, roles: Sequence[str]) -> str | None:
    """Why an output cannot be taken so; None if it can."""
    role = roles[0] if use.role == FIRST and roles else use.role
    if role not in roles:
        return f"takes {role!r} of {use.key!r}, a job of kind {kind}, which makes {', '.join(roles)}"
    if use.file and role not in FILES:
        return f"takes {role!r} of {use.key!r}, which is text; here goes a file"
    if not use.file and role in FILES:
        return f"takes {role!r} of {use.key!r}, which is a file; here goes text"
    return None


def circles(followers: Sequence[Follower]) -> list[Misplaced]:
    """Rows that come after themselves, in the end. No row is in two of the circles told; without those there is none.

    Goes down from each row once. What closes a circle is taken off the path and never looked at again. (Python's
    graphlib tells of one circle alone.)
    """
    by_key = {each.key: each for each in followers if each.key is not None}
    found: list[Misplaced] = []
    seen: set[str] = set()
    for start in by_key:
        path: dict[str, Iterator[str]] = {}
        below: str | None = start if start not in seen else None
        while path or below is not None:
            if below is None:
                path.popitem()
            elif below in path:
                keys = list(path)
                circle = keys[keys.index(below) :]
                for _ in circle:
                    path.popitem()
                found.append(told(by_key[below], "after", f"goes in a circle: {way(circle)}"))
            elif below in by_key and below not in seen:
                seen.add(below)
                path[below] = iter(by_key[below].after)
            below = next(path[next(reversed(path))], None) if path else None
    return found


def way(circle: Sequence[str]) -> str:
    shown = [*circle, circle[0]]
    return " after ".join(map(repr, shown[:10])) + (" …" if len(shown) > 10 else "")


def left_without(followers: Sequence[Follower], bad: Collection[int]) -> set[int]:
    """Places of what cannot be made if these are not: all that comes after them as well."""
    below: dict[str, list[Follower]] = {}
    for each in followers:
        for key in each.after:
            below.setdefault(key, []).append(each)
    lost = set(bad)
    waiting = [each for each in followers if each.place in lost]
    while waiting:
        for each in below.get(waiting.pop().key or "", []):
            if each.place not in lost:
                lost.add(each.place)
                waiting.append(each)
    return lost


# -- when the job runs -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Made:
    """An output of an earlier job."""

    key: str
    role: str
    location: str
    text: str | None


class NoOutputError(Exception):
    """What a job takes of an earlier one was not made."""


def pick(use: Use, made: Sequence[Made]) -> Made:
    """The output that is meant. Raises NoOutputError."""
    of_key = [each for each in made if each.key == use.key]
    for each in of_key:
        if use.role in (FIRST, each.role):
            return each
    has = ", ".join(Counter(each.role for each in of_key)) or "nothing"
    raise NoOutputError(f"{use.key!r} has no {use.role}; it made {has}")


def filled(args: Json, kind: Kind, after: Sequence[str], value_of: Callable[[Use], str]) -> Json:
    """The input with what the earlier jobs made in its places. `value_of`: a text, or where a file lies."""

    def put(value: Any, path: tuple[str, ...]) -> Any:
        match value:
            case str() if "{{" in value:
                file = bool(kind.files.intersection(path))
                whole = list(references(value))
                parts, at = [], 0
                for each in whole:
                    use = Use(path[0], each.role, key_of(each, after), file)
                    parts += [value[at : each.start], value_of(use)]
                    at = each.end
                return "".join(parts).strip() if file else "".join([*parts, value[at:]])
            case dict():
                return {name: put(each, (*path, name)) for name, each in value.items()}
            case list():
                return [put(each, path) for each in value]
        return value

    found: Json = put(args, ())
    return found
