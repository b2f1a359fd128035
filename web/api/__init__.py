"""The HTTP API, a file for each resource."""

from typing import Any

from fastapi import APIRouter, Security
from fastapi.security import HTTPBearer

from web.api import batches, calls, jobs, money, people, schedules, shapes, steer, submit, uploads, webhooks

PREFIX = "/api/v1"
PROBLEM = {"description": "It cannot be had; says why.", "model": shapes.Problem}
PROBLEMS: tuple[int | str, ...] = ("4XX", "503")
#: For the document alone: who asks is found out by `web.access`, by the cookie of a login as well.
KEY = HTTPBearer(auto_error=False, scheme_name="key", description="A key of `mediajobs keys add`; it begins with mj_.")
router = APIRouter(prefix=PREFIX, responses=dict.fromkeys(PROBLEMS, PROBLEM), dependencies=[Security(KEY)])
for part in (batches, submit, uploads, jobs, schedules, steer, money, people, webhooks, calls):
    router.include_router(part.router)


def documented(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with what FastAPI cannot be told: problems have a type of their own, and each operation is

    called by what it does, not by the name of a function.
    """
    for methods in document["paths"].values():
        for operation in methods.values():
            said = operation.get("description", operation["summary"]).partition("\n")[0]
            operation["summary"] = said.partition(". ")[0].rstrip(".")
            for status, answer in operation["responses"].items():
                if status in PROBLEMS and "application/json" in answer.get("content", {}):
                    answer["content"] = {"application/problem+json": answer["content"].pop("application/json")}
    made: dict[str, Any] = whole(document)
    return made


def whole(value: Any) -> Any:
    """Bounds of whole numbers as whole numbers."""
    match value:
        case dict():
            return {name: whole(each) for name, each in value.items()}
        case list():
            return [whole(each) for each in value]
        case float() if value.is_integer():
            return int(value)
    return value
