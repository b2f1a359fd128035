"""The proxy's description of itself, held against what we send. Pure.

It comes as an OpenAPI document (`/openapi`, and `/definition` by the proxy's published source), its paths in
the new or the old URL format. The source keeps it in another form, `routes`; that is read as well.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from provider.endpoints import ENDPOINTS, Endpoint, fields_of
from provider.wire import Json

METHODS = ("get", "post", "put", "patch", "delete")
#: References that are followed, one after the other: some go in a circle.
MOST_REFS = 16
#: Other words for the types that the seed knows.
TYPES = {"integer": "number", "float": "number", "file": "string", "binary": "string", "json": "object"}


@dataclass(frozen=True, slots=True)
class Described:
    """An endpoint as the proxy tells of it: its fields by type, of body, path and query; `required`: those of them."""

    method: str
    path: str
    fields: Mapping[str, str] = field(default_factory=dict)
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Difference:
    """`breaks`: something that we send is no more, or is another."""

    endpoint: str
    what: str
    breaks: bool = False

    def __str__(self) -> str:
        return f"{self.endpoint}: {self.what}"


def read_definition(document: Json) -> list[Described]:
    """What a document describes. Raises ValueError where it describes nothing."""
    paths, routes = document.get("paths"), document.get("routes")
    found: list[Described] = []
    if isinstance(paths, dict):
        found = [each for path, operations in paths.items() for each in from_openapi(document, path, operations)]
    elif routes:
        listed: Iterable[Any] = routes.values() if isinstance(routes, dict) else routes
        found = [from_route(each) for each in listed if isinstance(each, dict)]
    if not found:
        raise ValueError("it has neither `paths` nor `routes`")
    return found


def from_openapi(document: Json, path: str, operations: Any) -> Iterator[Described]:
    for method in METHODS:
        if not isinstance(operations, dict) or not isinstance(made := operations.get(method), dict):
            continue
        given = [followed(document, each) for each in made.get("parameters") or []]
        parameters = {str(each.get("name")): each for each in given if each.get("name") != "api_token"}
        fields = {name: type_of(followed(document, each.get("schema"))) for name, each in parameters.items()}
        required = {name for name, each in parameters.items() if each.get("required")}
        content = followed(document, made.get("requestBody")).get("content") or {}
        for body in content.values():
            for schema in parts_of(document, body.get("schema")):
                properties = schema.get("properties") or {}
                fields |= {name: type_of(followed(document, each)) for name, each in properties.items()}
                required |= set(schema.get("required") or ())
        yield Described(method.upper(), path, fields, frozenset(required))


def followed(document: Json, schema: Any) -> Json:
    """What a `$ref` within the document stands for; {} for what is none or leads nowhere."""
    for _ in range(MOST_REFS):
        if not isinstance(schema, dict):
            return {}
        if not isinstance(reference := schema.get("$ref"), str):
            return schema
        schema = document if reference.startswith("#/") else None
        for name in reference.removeprefix("#/").split("/"):
            schema = schema.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(schema, dict) else None
    return {}


def parts_of(document: Json, schema: Any, depth: int = 0) -> Iterator[Json]:
    """A schema, and those that `allOf` joins in it."""
    found = followed(document, schema)
    yield found
    for each in (found.get("allOf") or ()) if depth < MOST_REFS else ():
        yield from parts_of(document, each, depth + 1)


def from_route(route: Json) -> Described:
    """The proxy's own form: `provider_alias_intent` is the path."""
    parts = [route.get(name) for name in ("path", "params", "body")]
    fields = {name: type_of(each) for part in parts if isinstance(part, dict) for name, each in part.items()}
    return Described(str(route.get("method", "")).upper(), str(route.get("provider_alias_intent")), fields)


def type_of(described: Any) -> str:
    """By the seed's words; of several types (`null` is none of them) as `string or number`."""
    given = described.get("type") if isinstance(described, dict) else "string"
    kinds = [str(each) for each in (given if isinstance(given, list) else [given]) if each != "null"]
    return " or ".join(sorted({TYPES.get(kind, kind) for kind in kinds})) or "null"


def differences(described: Iterable[Described]) -> list[Difference]:
    """What was added, removed or changed, endpoint by endpoint."""
    found = list(described)
    told: list[Difference] = []
    seen: set[str] = set()
    for name, endpoint in ENDPOINTS.items():
        if (endpoint.seed is None and not endpoint.believed) or endpoint.new_path is None or endpoint.described:
            continue
        places = {endpoint.new_path, endpoint.old_path}
        here = [each for each in found if each.path in places]
        seen |= {each.path for each in here}
        told += compared(name, endpoint, here)
    for each in found:
        if each.path not in seen:
            fields = ", ".join(each.fields) or "no fields"
            told.append(Difference(f"{each.method} {each.path}", f"added, with {fields}"))
    return told


def compared(name: str, endpoint: Endpoint, here: list[Described]) -> Iterator[Difference]:
    """One endpoint; what the seed itself does not list is no loss."""
    if not here:
        if endpoint.seed is not None:
            yield Difference(name, f"removed: nothing is described at {endpoint.new_path}", breaks=True)
        return
    right = [each for each in here if each.method == endpoint.method]
    if not right:
        methods = ", ".join(each.method for each in here)
        yield Difference(name, f"changed: its method is {methods}, and we send {endpoint.method}", breaks=True)
        return
    listed = {field: kind for each in right for field, kind in each.fields.items()}
    needed = frozenset().union(*(each.required for each in right))
    ours, seeds = fields_of(endpoint.request), fields_of(endpoint.seed)
    for field_name, kind in listed.items():
        if field_name not in ours:
            must = field_name in needed
            what = "a field that must be given, " if must else "a field "
            yield Difference(name, f"added: {what}{field_name} ({kind})", breaks=must)
        elif field_name in seeds and ours[field_name] not in kind.split(" or "):
            yield Difference(
                name, f"changed: {field_name} is of type {kind}, and we send {ours[field_name]}", breaks=True
            )
    for field_name in seeds.keys() - listed.keys():
        yield Difference(name, f"removed: the field {field_name}", breaks=True)
