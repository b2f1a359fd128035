"""What is wrong with a value, in words for people who know neither Python nor pydantic. Pure."""

import json
import math
from typing import Any

MOST_SHOWN_CHARS = 60


class PartError(ValueError):
    """Something is wrong with a part of a value; the message names the part, so that the whole need not be shown."""


def shown(value: Any) -> str:
    """A value as it may stand in a message: text in quotes, all else as JSON; not too much of it."""
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = text if len(text) <= MOST_SHOWN_CHARS else f"{text[: MOST_SHOWN_CHARS - 3]}…"
    return text.encode("utf-8", "backslashreplace").decode()


def explain(error: Any) -> tuple[str | None, str]:
    """(field, message) of one of pydantic's errors: what is wrong, and what would be right."""
    field = ".".join(part for part in error["loc"] if isinstance(part, str)) or None
    message = reason(error)
    if field is None and error["type"] == "value_error":  # of the row as a whole: it begins with its field's name
        name, _, said = message.partition(": ")
        return (name, said) if said else (None, name)
    item = next((f"item {part + 1}: " for part in error["loc"] if isinstance(part, int)), "")
    return field, item + message


def reason(error: Any) -> str:
    value, context = error["input"], error.get("ctx") or {}
    match error["type"]:
        case "missing":
            return "is missing; give it a value"
        case "extra_forbidden":
            return "is no field here; leave it out, or look how it is spelt"
        case "unknown_field":
            return str(error["msg"])
        case "value_error":
            said = str(error["msg"].removeprefix("Value error, "))
            whole = not error["loc"] or isinstance(value, list | dict) or isinstance(context.get("error"), PartError)
            return said if whole or said.startswith(shown(value)) else f"{shown(value)} {said}"
        case "string_too_short" | "too_short" if not value:
            return "is empty; give it a value"
        case "string_too_short" | "string_too_long" | "too_short" | "too_long" as kind:
            what = "characters" if isinstance(value, str) else "items"
            return f"has {len(value)} {what}; {bound(kind, context)}"
        case kind:
            return f"{shown(value)} {misfit(kind, value, context) or 'is not valid: ' + small(error['msg'])}"


def bound(kind: str, context: dict[str, Any]) -> str:
    if kind.endswith("long"):
        return f"at most {context['max_length']} are allowed"
    return f"at least {context['min_length']} are needed"


#: The beginning of pydantic's name for what is wrong → in words.
TYPES = {
    "string_unicode": "has a character that is none; take it out",
    "string": "is no text; give one, in quotes",
    "bool": "is neither true nor false; write one of them",
    "finite": "is no number; write it in digits, such as 5",
    "int": "is no whole number; write it in digits, such as 5",
    "float": "is no number; write it in digits, such as 0.5",
    "list": "is no list; write it as a JSON list",
    "dict": "is no object; write it as a JSON object",
}


def misfit(kind: str, value: Any, context: dict[str, Any]) -> str | None:
    """Why a value cannot be; None where there are no better words than pydantic's."""
    if kind in {"greater_than_equal", "less_than_equal"} and not math.isfinite(float(value)):
        kind = "float"
    match kind:
        case "greater_than_equal":
            return f"is too small; at least {context['ge']:g} is allowed"
        case "less_than_equal":
            return f"is too large; at most {context['le']:g} is allowed"
        case "literal_error":
            return f"is not offered; choose from {context['expected'].replace(' or ', ', ')}"
        case _:
            return next((words for name, words in TYPES.items() if kind.startswith(name)), None)


def small(text: str) -> str:
    return text[:1].lower() + text[1:]
