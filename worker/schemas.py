"""A JSON schema that answers are to fit: checked when given, and held against what comes."""

import json
from typing import Any
from urllib.parse import unquote

from provider.wire import Json


def check_schema(schema: Json) -> Json:
    """Raises ValueError for what is no JSON schema, or leads elsewhere."""
    from jsonschema import SchemaError  # noqa: PLC0415 - 100 ms, and few rows have a schema
    from jsonschema.validators import validator_for  # noqa: PLC0415 - as above

    for pointer in pointers(schema):
        if not leads_within(schema, pointer):
            raise ValueError(f"refers to {pointer[:60]!r}, which is not in it; only parts of the schema itself can be")
    try:
        validator = validator_for(schema)
        validator.check_schema(schema)
        next(iter(validator(schema).iter_errors(None)), None)
    except SchemaError as error:
        raise ValueError(f"is no JSON schema: {error.json_path}: {error.message[:200]}") from None
    except RecursionError:
        raise ValueError("refers to itself without an end; take the circle out of its $ref") from None
    except Exception as error:  # noqa: BLE001 - odd values meet the library's own mistakes
        raise ValueError(f"is no JSON schema: {type(error).__name__}: {str(error)[:200]}") from None
    return schema


def pointers(value: Any) -> list[str]:
    """Every `$ref` at any depth."""
    if isinstance(value, list):
        return [each for item in value for each in pointers(item)]
    if not isinstance(value, dict):
        return []
    own = [value[name] for name in ("$ref", "$dynamicRef") if isinstance(value.get(name), str)]
    return own + [each for item in value.values() for each in pointers(item)]


def leads_within(schema: Json, pointer: str) -> bool:
    """Whether a `#/…` leads somewhere; an anchor's name is believed."""
    if not pointer.startswith("#/"):
        return pointer.startswith("#")
    at: Any = schema
    for part in pointer[2:].split("/"):
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(at, list) and name.isdecimal() and int(name) < len(at):
            at = at[int(name)]
        elif isinstance(at, dict) and name in at:
            at = at[name]
        else:
            return False
    return True


def misfit(text: str, schema: Json | None) -> str | None:
    """Why a text is no JSON, or none that fits the schema; None where it is well."""
    from jsonschema.validators import validator_for  # noqa: PLC0415 - as above

    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as no_json:
        return f"is no JSON: {no_json}"
    if schema is None:
        return None
    try:
        error = next(iter(validator_for(schema)(schema).iter_errors(value)), None)
    except Exception as odd:  # noqa: BLE001 - such as a circle that only some values go round
        return f"cannot be held against the schema: {type(odd).__name__}: {str(odd)[:200]}"
    return None if error is None else f"does not fit the schema: {error.json_path}: {error.message[:200]}"
