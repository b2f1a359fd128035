"""The proxy's description, read in each of its forms, and what is told of its differences."""

from typing import Any

import pytest

from provider.definitions import Described, differences, read_definition
from tests.support import seed


def changed(path: str, method: str = "post", **fields: str | list[str] | None) -> dict[str, Any]:
    """The seed's definition with other fields at a path."""
    document = seed.copy()
    made = document["paths"].setdefault(path, {}).setdefault(method, {})
    body = made.setdefault("requestBody", {"content": {"application/json": {"schema": {"properties": {}}}}})
    properties = next(iter(body["content"].values()))["schema"]["properties"]
    properties.update({name: {"type": kind} for name, kind in fields.items() if kind})
    for name in [name for name, kind in fields.items() if not kind]:
        del properties[name]
    return document


def without(path: str) -> dict[str, Any]:
    document = seed.copy()
    del document["paths"][path]
    return document


def moved(path: str, method: str) -> dict[str, Any]:
    document = seed.copy()
    document["paths"][path] = {method: document["paths"][path]["post"]}
    return document


def by_reference(path: str) -> dict[str, Any]:
    """The same body, as most OpenAPI documents write it: named, in two parts, one of them a circle."""
    document = seed.copy()
    content = document["paths"][path]["post"]["requestBody"]["content"]
    [(mime, body)] = content.items()
    document["components"] = {
        "schemas": {
            "a/b": {"allOf": [body["schema"], {"$ref": "#/components/schemas/circle"}, {"$ref": "#/nowhere"}]},
            "circle": {"$ref": "#/components/schemas/circle"},
        }
    }
    content[mime] = {"schema": {"$ref": "#/components/schemas/a~1b"}}
    return document


def required(path: str, field: str) -> dict[str, Any]:
    document = changed(path, **{field: "string"})
    content = document["paths"][path]["post"]["requestBody"]["content"]
    next(iter(content.values()))["schema"]["required"] = ["prompt", field]
    return document


IMAGE = "/api/paas/v4/generate/image"
CASES: dict[str, tuple[dict[str, Any], list[str], bool]] = {
    # document → what is told, whether it breaks what we send
    "as the seed": (seed.copy(), [], False),
    "a new field": (changed(IMAGE, colour="string"), ["image: added: a field colour (string)"], False),
    "a field that Z.AI has": (changed(IMAGE, quality="string"), [], False),
    "a lost field": (changed(IMAGE, size=None), ["image: removed: the field size"], True),
    "another type": (
        changed(IMAGE, n="string"), ["image: changed: n is of type string, and we send number"], True,
    ),
    "a body by reference": (by_reference(IMAGE), [], False),
    "several types, one ours": (changed(IMAGE, n=["integer", "null"]), [], False),
    "several types, none ours": (
        changed(IMAGE, n=["string", "object"]),
        ["image: changed: n is of type object or string, and we send number"], True,
    ),
    "a new field that must be given": (
        required(IMAGE, "colour"), ["image: added: a field that must be given, colour (string)"], True,
    ),
    "another word for a type": (changed(IMAGE, n="integer"), [], False),
    "a new endpoint": (changed("/api/paas/v4/songs", words="string"), ["POST /api/paas/v4/songs: added, with words"],
                       False),
    "a believed path that is right": (changed("/api/v1/agents/async-result", async_id="string"), [], False),
    "a lost endpoint": (without("/paas/v4/reader"), ["reader: removed: nothing is described at /paas/v4/reader"], True),
    "another method": (
        moved("/paas/v4/reader", "get"), ["reader: changed: its method is GET, and we send POST"], True,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("document", "told", "breaks"), CASES.values(), ids=CASES)
def test_differences(document: dict[str, Any], told: list[str], breaks: bool) -> None:
    found = differences(read_definition(document))
    assert [str(each) for each in found] == told
    assert any(each.breaks for each in found) is breaks


ROUTE = {
    "provider_alias_intent": "/paas/v4/reader",
    "method": "POST",
    "params": {},
    "body": {"url": {"type": "string", "text": "where"}},
}


@pytest.mark.parametrize("routes", [[ROUTE], {"1": ROUTE}])
def test_the_proxys_own_form_is_read_too(routes: Any) -> None:
    assert read_definition({"config": {}, "routes": routes}) == [
        Described("POST", "/paas/v4/reader", {"url": "string"})
    ]


@pytest.mark.parametrize("document", [{}, {"paths": {}}, {"routes": []}, {"paths": {"/x": {"post": None}}}])
def test_what_describes_nothing_is_no_definition(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="neither `paths` nor `routes`"):
        read_definition(document)


def test_the_token_is_no_field() -> None:
    parameters = [{"name": "api_token", "in": "query"}, {"name": "id", "in": "path", "schema": {"type": "string"}}]
    [read] = read_definition({"paths": {"/a/{id}": {"get": {"parameters": parameters}, "summary": "x"}}})
    assert read.fields == {"id": "string"}
