"""The fields of an endpoint as options of the command line."""

import json
from typing import Any

import click

from provider.endpoints import Endpoint, fields_of
from provider.wire import Json


class Number(click.ParamType[float]):
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number", param, ctx)
        return int(number) if number.is_integer() else number


class Object(click.ParamType[Json]):
    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Json:
        try:
            found = json.loads(value)
        except ValueError as error:
            self.fail(f"{value!r} is no JSON: {error}", param, ctx)
        if not isinstance(found, dict):
            self.fail(f'{value!r} is no JSON object; write it as {{"name": value}}', param, ctx)
        return found


class Element(click.ParamType[Any]):
    """Of a list: JSON, or a text."""

    name = "text or json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not value.lstrip().startswith(("[", "{")):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            self.fail(f"{value!r} starts like JSON but is none: {error}", param, ctx)


def options_of(endpoint: Endpoint) -> list[click.Parameter]:
    """An option for each field; a file has its own."""
    return [option(name, kind) for name, kind in fields_of(endpoint.request).items() if name != "file"]


def option(name: str, kind: str) -> click.Option:
    """Under the API's own name too, with its underscores."""
    dashed = name.replace("_", "-")
    if kind == "boolean":
        return click.Option([f"--{dashed}/--no-{dashed}", name], default=None)
    declared = [f"--{dashed}", *([f"--{name}"] if name != dashed else []), name]
    match kind:
        case "number":
            return click.Option(declared, type=Number())
        case "object":
            return click.Option(declared, type=Object())
        case "array":
            return click.Option(declared, type=Element(), multiple=True, help="Repeat it, or give a JSON list.")
        case _:
            return click.Option(declared)


def given(endpoint: Endpoint, options: dict[str, Any]) -> Json:
    """The fields that were given, as the API takes them."""
    kinds = fields_of(endpoint.request)
    return {
        name: as_list(name, value, parts="agent_id" in kinds) if kinds.get(name) == "array" else value
        for name, value in options.items()
        if value not in (None, ())
    }


def as_list(name: str, items: tuple[Any, ...], *, parts: bool) -> list[Any]:
    """Lists are taken apart; a text among messages is a user's. parts: agents take contents in parts alone."""
    found: list[Any] = []
    for item in items:
        found += item if isinstance(item, list) else [item]
    if name != "messages":
        return found
    return [message(each, parts=parts) if isinstance(each, str) else each for each in found]


def message(text: str, *, parts: bool) -> Json:
    return {"role": "user", "content": [{"type": "text", "text": text}] if parts else text}
