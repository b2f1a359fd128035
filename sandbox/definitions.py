"""The proxy's description of itself, in both of its forms: what its documentation lists, as of February 2026."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Fields = dict[str, str]
CHAT: Fields = {
    "do_sample": "boolean", "max_tokens": "number", "messages": "array", "model": "string", "request_id": "string",
    "response_format": "object", "stop": "array", "stream": "boolean", "temperature": "number", "thinking": "object",
    "tool_choice": "string", "tool_stream": "boolean", "tools": "array", "top_p": "number", "user_id": "string",
}  # fmt: skip
DOCS = "https://docs.z.ai/api-reference"


@dataclass(frozen=True, slots=True)
class Listed:
    """`old`: its path in the old format, where that differs for another reason than a parameter."""

    title: str
    category: str
    path: str
    doc: str
    body: Fields = field(default_factory=dict)
    method: str = "post"
    old: str | None = None

    @property
    def parameters(self) -> list[str]:
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @property
    def old_path(self) -> str:
        return self.old or self.path.replace("{", "").replace("}", "")


LISTED = [
    Listed("Code Completion", "Code Completion", "/api/coding/paas/v4/chat/completions", "llm/chat-completion", CHAT),
    Listed("Create Chat Completion", "Chat", "/api/paas/v4/chat/completions", "llm/chat-completion", CHAT),
    Listed(
        "Generate Image",
        "Image",
        "/api/paas/v4/generate/image",
        "image/generate-image",
        {"model": "string", "n": "number", "prompt": "string", "size": "string"},
    ),
    Listed(
        "Generate Video",
        "Video",
        "/api/paas/v4/videos/generations",
        "video/generate-video",
        {"model": "string", "prompt": "string"},
    ),
    Listed(
        "Retrieve Video Result Using ID",
        "Video",
        "/api/paas/v4/async-result/{id}",
        "video/get-video-status",
        method="get",
    ),
    Listed(
        "Audio Transcriptions",
        "Audio",
        "/api/paas/v4/audio/transcriptions",
        "audio/audio-transcriptions",
        {"file": "file", "language": "string", "model": "string", "prompt": "string", "response_format": "string",
         "temperature": "number"},
    ),
    Listed("Tokenizer", "Tool", "/paas/v4/tokenizer", "tools/tokenizer", {"input": "string", "model": "string"}),
    Listed(
        "Web Search", "Tool", "/paas/v4/web_search", "tools/web-search", {"max_results": "number", "query": "string"}
    ),
    Listed("Web Reader", "Tool", "/paas/v4/reader", "tools/web-reader", {"url": "string"}),
    Listed(
        "Agent Chat",
        "Agent",
        "/api/v1/agents",
        "agents/agent",
        {"agent_id": "string", "messages": "array", "model": "string"},
        old="/v1/agents",
    ),
]  # fmt: skip


def openapi(changes: dict[str, Any], server: str) -> dict[str, Any]:
    """The new form: parameters in the path."""
    return document(changes, server, ((each, each.path, "path") for each in LISTED))


def definition(changes: dict[str, Any], server: str) -> dict[str, Any]:
    """The old form: parameters in the query."""
    return document(changes, server, ((each, each.old_path, "query") for each in LISTED))


def document(changes: dict[str, Any], server: str, listed: Iterator[tuple[Listed, str, str]]) -> dict[str, Any]:
    """`changes`: path → its fields, of which those that are null are taken away; or null, if all of it is."""
    paths = {path: {each.method: operation(each, place)} for each, path, place in listed}
    for path, changed in changes.items():
        if changed is None:
            paths.pop(path, None)
            continue
        known = paths.setdefault(path, {"post": operation(Listed(path, "New", path, ""), "path")})
        for properties in map(properties_of, known.values()):
            properties.update({name: {"type": kind} for name, kind in changed.items() if kind})
            for name in [name for name, kind in changed.items() if not kind]:
                properties.pop(name, None)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Z.AI", "description": "", "version": "1.0.0"},
        "servers": [{"description": "", "url": server}],
        "paths": paths,
        "components": {"securitySchemes": {"ApiToken": {"type": "apiKey", "in": "query", "name": "api_token"}}},
        "security": [{"ApiToken": []}],
    }


def operation(listed: Listed, place: str) -> dict[str, Any]:
    mime = "multipart/form-data" if "file" in listed.body else "application/json"
    properties = {name: {"type": kind, "description": ""} for name, kind in listed.body.items()}
    schema = {"type": "object", "required": [], "properties": properties}
    made: dict[str, Any] = {
        "tags": [listed.category],
        "summary": listed.title,
        "description": "",
        "parameters": [
            {"name": name, "in": place, "required": True, "schema": {"type": "string"}} for name in listed.parameters
        ],
        "externalDocs": {"url": f"{DOCS}/{listed.doc}"},
        "responses": {"401": {"description": "API token required", "content": {"application/json": {}}}},
        "security": [{"ApiToken": []}],
    }
    if listed.method == "post":
        made["requestBody"] = {"required": True, "content": {mime: {"schema": schema}}}
    return made


def properties_of(made: dict[str, Any]) -> dict[str, Any]:
    content = made.get("requestBody", {}).get("content", {})
    found: dict[str, Any] = next((each["schema"]["properties"] for each in content.values()), {})
    return found
