"""Values that a JSON schema allows, taken from a text where it has some: a model's arguments for a function."""

import re
from typing import Any

Schema = dict[str, Any]
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
NAME = re.compile(r"\b[A-Z][a-z]+\b")


def fitting(schema: Any, text: str, name: str = "") -> Any:
    """A value that fits, the same for the same text."""
    if not isinstance(schema, dict):
        return text
    if "const" in schema:
        return schema["const"]
    if isinstance(choices := schema.get("enum"), list) and choices:
        return next((each for each in choices if str(each).lower() in text.lower()), choices[0])
    for several in ("anyOf", "oneOf", "allOf"):
        if isinstance(options := schema.get(several), list) and options:
            return fitting(options[0], text, name)
    kinds = schema.get("type")
    match kinds[0] if isinstance(kinds, list) and kinds else kinds:
        case "object":
            return {each: fitting(inner, text, each) for each, inner in asked_of(schema).items()}
        case "array":
            return [fitting(schema.get("items", {}), text, name)] * max(1, int(schema.get("minItems", 1)))
        case "integer" | "number" as kind:
            return number(schema, text, whole=kind == "integer")
        case "boolean":
            return True
        case "null":
            return None
    return words(schema, text, name)


def asked_of(schema: Schema) -> Schema:
    """An object's properties: those that it requires or, where it requires none, all."""
    known = schema.get("properties")
    known = known if isinstance(known, dict) else {}
    required = schema.get("required") or list(known)
    return {each: known.get(each, {}) for each in required}


def number(schema: Schema, text: str, *, whole: bool) -> float:
    found = NUMBER.search(text)
    value = float(found[0]) if found else 1.0
    value = min(max(value, schema.get("minimum", value)), schema.get("maximum", value))
    return int(value) if whole else value


def words(schema: Schema, text: str, name: str) -> str:
    """A name that the text has, if something is to be named; else all of the text."""
    names = NAME.findall(text)
    value = names[-1] if names and name and len(text) > 40 else text
    least, most = int(schema.get("minLength", 0)), int(schema.get("maxLength", 10_000))
    return value.ljust(least, ".")[:most]
