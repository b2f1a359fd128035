"""The endpoints: where each lies, through the proxy in both URL formats and at Z.AI directly.

Sources: the seed document for the proxy's paths, docs.z.ai's API reference for the direct ones and for
the fields.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, get_origin, get_type_hints

from provider import types

PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Paths are below the base URL. `{name}` in the new and direct path is a path parameter.

    new_path: the proxy's; None where it does not offer this. old_path: the old format's, its parameters in the
    query; None where both formats are one URL. direct_path: Z.AI's own; None where only the proxy has it.
    title: the seed's name for it. idempotent: asking again changes and costs nothing. paid: a call costs money;
    price: how much, in US dollars, where no model decides it.
    upload: its body is multipart, with a part `file`. source: who says so; believed: what of it nobody says.
    described: it lies where the proxy describes itself, needs no token and has no wrapper.
    any_answer: whatever JSON comes is an answer: another provider's.
    request, answer: what goes in and what comes out; seed: of that, the fields that the seed lists.
    names: the seed's name of a field → Z.AI's own, where they differ.
    """

    title: str = ""
    source: str = ""
    believed: str = ""
    method: str = "POST"
    new_path: str | None
    direct_path: str | None
    old_path: str | None = None
    idempotent: bool = False
    paid: bool = True
    price: Decimal | None = None
    upload: bool = False
    described: bool = False
    any_answer: bool = False
    request: type = types.Nothing
    answer: type = types.Nothing
    seed: type | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def path_names(self) -> list[str]:
        """Its path parameters."""
        return PARAMETER.findall(self.new_path or self.direct_path or "")


ENDPOINTS: dict[str, Endpoint] = {
    "chat": Endpoint(
        title="Create Chat Completion",
        source="docs.z.ai/api-reference/llm/chat-completion",
        new_path="/api/paas/v4/chat/completions",
        direct_path="/paas/v4/chat/completions",
        request=types.Chat,
        answer=types.ChatAnswer,
        seed=types.SeedChat,
    ),
    "code": Endpoint(
        title="Code Completion",
        source="docs.z.ai/api-reference/llm/chat-completion; for keys of a coding plan",
        new_path="/api/coding/paas/v4/chat/completions",
        direct_path="/coding/paas/v4/chat/completions",
        request=types.Chat,
        answer=types.ChatAnswer,
        seed=types.SeedChat,
    ),
    "image": Endpoint(
        title="Generate Image",
        source="docs.z.ai/api-reference/image/generate-image",
        new_path="/api/paas/v4/generate/image",
        direct_path="/paas/v4/images/generations",
        request=types.Image,
        answer=types.ImageAnswer,
        seed=types.SeedImage,
    ),
    "image_async": Endpoint(
        title="Generate Image by Task",
        source="docs.z.ai/api-reference/image/generate-image-async",
        new_path=None,
        direct_path="/paas/v4/async/images/generations",
        request=types.ImageAsync,
        answer=types.TaskAnswer,
    ),
    "video": Endpoint(
        title="Generate Video",
        source="docs.z.ai/api-reference/video/generate-video",
        new_path="/api/paas/v4/videos/generations",
        direct_path="/paas/v4/videos/generations",
        request=types.Video,
        answer=types.TaskAnswer,
        seed=types.SeedVideo,
    ),
    "async_result": Endpoint(
        title="Retrieve Video Result Using ID",
        source="docs.z.ai/api-reference/video/get-video-status",
        method="GET",
        new_path="/api/paas/v4/async-result/{id}",
        old_path="/api/paas/v4/async-result/id",
        direct_path="/paas/v4/async-result/{id}",
        idempotent=True,
        paid=False,
        request=types.SeedResult,
        answer=types.ResultAnswer,
        seed=types.SeedResult,
    ),
    "transcription": Endpoint(
        title="Audio Transcriptions",
        source="docs.z.ai/api-reference/audio/audio-transcriptions",
        new_path="/api/paas/v4/audio/transcriptions",
        direct_path="/paas/v4/audio/transcriptions",
        upload=True,
        request=types.Transcription,
        answer=types.TranscriptionAnswer,
        seed=types.SeedTranscription,
    ),
    "tokenizer": Endpoint(
        title="Tokenizer",
        source="docs.z.ai/api-reference/tools/tokenizer",
        believed="that it is free: no price is published",
        new_path="/paas/v4/tokenizer",
        direct_path="/paas/v4/tokenizer",
        idempotent=True,
        paid=False,
        request=types.Tokenizer,
        answer=types.TokenizerAnswer,
        seed=types.SeedTokenizer,
        names={"input": "messages"},
    ),
    "web_search": Endpoint(
        title="Web Search",
        source="docs.z.ai/api-reference/tools/web-search",
        new_path="/paas/v4/web_search",
        direct_path="/paas/v4/web_search",
        request=types.WebSearch,
        answer=types.WebSearchAnswer,
        seed=types.SeedWebSearch,
        price=Decimal("0.01"),  # docs.z.ai/guides/overview/pricing
        names={"query": "search_query", "max_results": "count"},
    ),
    "reader": Endpoint(
        title="Web Reader",
        source="docs.z.ai/api-reference/tools/web-reader",
        new_path="/paas/v4/reader",
        direct_path="/paas/v4/reader",
        request=types.Reader,
        answer=types.ReaderAnswer,
        seed=types.SeedReader,
    ),
    "agent": Endpoint(
        title="Agent Chat",
        source="docs.z.ai/api-reference/agents/agent",
        new_path="/api/v1/agents",
        old_path="/v1/agents",
        direct_path="/v1/agents",
        request=types.Agent,
        answer=types.AgentAnswer,
        seed=types.SeedAgent,
    ),
    "agent_result": Endpoint(
        title="Retrieve Agent Result",
        source="docs.z.ai/api-reference/agents/get-async-result",
        believed="the proxy's paths, after those of the agents: the seed names none",
        new_path="/api/v1/agents/async-result",
        old_path="/v1/agents/async-result",
        direct_path="/v1/agents/async-result",
        idempotent=True,
        paid=False,
        request=types.AgentResult,
        answer=types.AgentResultAnswer,
    ),
    "agent_history": Endpoint(
        title="Conversation History",
        source="docs.z.ai/api-reference/agents/agent-conversation",
        believed="the proxy's paths, after those of the agents: the seed names none",
        new_path="/api/v1/agents/conversation",
        old_path="/v1/agents/conversation",
        direct_path="/v1/agents/conversation",
        idempotent=True,
        paid=False,
        request=types.AgentHistory,
        answer=types.AgentHistoryAnswer,
    ),
    "file_upload": Endpoint(
        title="File Upload",
        source="docs.z.ai/api-reference/agents/file-upload",
        believed="the proxy's path: the seed names none; that it is free",
        new_path="/api/paas/v4/files",
        direct_path="/paas/v4/files",
        paid=False,
        upload=True,
        request=types.FileUpload,
        answer=types.FileAnswer,
    ),
    "models": Endpoint(
        title="List Available Models",
        source="the seed's Example 3",
        believed="both paths: the example may be but a template's text, and no document of Z.AI's has the direct one",
        method="GET",
        new_path="/v1/models",
        direct_path="/paas/v4/models",
        idempotent=True,
        paid=False,
        answer=types.ModelsAnswer,
    ),
    "openapi": Endpoint(
        title="API Definition",
        source="the seed",
        method="GET",
        new_path="/openapi",
        old_path="/definition",
        direct_path=None,
        idempotent=True,
        paid=False,
        described=True,
        answer=types.Definition,
    ),
    "definition": Endpoint(
        title="API Definition, Old Format",
        source="the seed",
        method="GET",
        new_path="/definition",
        direct_path=None,
        idempotent=True,
        paid=False,
        described=True,
        answer=types.Definition,
    ),
}


def endpoint_at(path: str, method: str) -> Endpoint:
    """An endpoint that is in no table: of another provider, or new.

    path: in the new URL format, such as /resource/{id}. What is not a GET may cost money, so it is asked once.
    """
    old = PARAMETER.sub(r"\1", path)
    return Endpoint(
        method=method,
        new_path=path,
        direct_path=path,
        old_path=old if old != path else None,
        idempotent=method == "GET",
        any_answer=True,
    )


def json_type(hint: Any) -> str:
    """What the seed calls such a type: string, number, boolean, array or object."""
    if get_origin(hint) is list:
        return "array"
    if get_origin(hint) is dict:
        return "object"
    return {bool: "boolean", int: "number", float: "number"}.get(hint, "string")


def fields_of(request: type | None) -> dict[str, str]:
    """The fields of a request, each with its JSON type."""
    if request is None:
        return {}
    return {name: json_type(hint) for name, hint in get_type_hints(request).items()}
