"""What the kinds chat and code share: a conversation goes in, the model's next message comes out.

Fields and limits: docs.z.ai/api-reference/llm/chat-completion; `reasoning_effort`: bigmodel's OpenAPI.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from provider.wire import Json, Request
from worker import messages as chats
from worker.folders import Files
from worker.glm import DEFAULT_TOKENS, FREE, MODELS, VISION, tokens_in, usage
from worker.images import all_located
from worker.kind import (
    Args,
    Cell,
    Checked,
    Intent,
    Kind,
    NotBool,
    Output,
    Outputs,
    Prompt,
    RemoteFailed,
    Result,
    Text,
    UnreadableAnswerError,
    folder_of,
    read_args,
    storable,
)
from worker.messages import CHAT
from worker.schemas import check_schema, misfit
from worker.tariff import Tokens
from worker.wording import PartError, shown

MAX_IMAGES = 100
MAX_TOKENS = 131072
MAX_TOOLS = 128
TOOLS = ("function", "web_search", "retrieval", "mcp")
#: An answer may take its time: no less than this between two of its bytes is waited for.
READ_TIMEOUT_S = 900.0
#: Believed: tokens of what is shown, at the most.
SHOWN_TOKENS = {"image_url": 2000, "video_url": 20_000, "file_url": 50_000}


def as_type(value: Any) -> Any:
    """`disabled` for `{"type": "disabled"}`, as it is written in a CSV."""
    return {"type": value} if isinstance(value, str) else value


def as_words(value: Any) -> Any:
    """One word for a list of one."""
    return [value] if isinstance(value, str) else value


Storable = AfterValidator(storable)
Object = Annotated[Json, Storable]
Named = Annotated[Object, BeforeValidator(as_type), Cell]


class ChatArgs(Args):
    #: Either the messages, or the parts of a plain question.
    messages: Annotated[list[Any] | None, Storable, Cell] = None
    prompt: Prompt | None = Field(default=None, min_length=1, max_length=chats.MAX_PROMPT)
    system: Prompt | None = Field(default=None, max_length=chats.MAX_PROMPT)
    images: list[str] = Field(default=[])
    do_sample: bool | None = None
    stream: bool | None = None
    thinking: Named | None = None
    reasoning_effort: Literal["max", "xhigh", "high", "medium", "low", "minimal", "none"] | None = None
    temperature: Annotated[float, NotBool] | None = Field(default=None, ge=0, le=1)
    top_p: Annotated[float, NotBool] | None = Field(default=None, ge=0.01, le=1)
    max_tokens: Annotated[int, NotBool] | None = Field(default=None, ge=1, le=MAX_TOKENS)
    tool_stream: bool | None = None
    tools: Annotated[list[Any] | None, Storable, Cell] = Field(default=None, max_length=MAX_TOOLS)
    tool_choice: Literal["auto"] | None = None
    stop: Annotated[list[Text] | None, BeforeValidator(as_words), Cell] = Field(default=None, max_length=1)
    response_format: Named | None = None
    #: Ours: what a JSON answer must fit. Sent as words of the system's.
    json_schema: Annotated[Object | None, Cell] = None

    @field_validator("messages")
    @classmethod
    def messages_are_messages(cls, given: list[Any] | None, info: ValidationInfo) -> list[Json] | None:
        return None if given is None else chats.checked(given, folder_of(info), CHAT)

    @field_validator("images", mode="plain")
    @classmethod
    def images_are_images(cls, given: Any, info: ValidationInfo) -> list[str]:
        return all_located(given, folder_of(info), most=MAX_IMAGES, max_bytes=chats.MAX_IMAGE_BYTES)

    @field_validator("thinking")
    @classmethod
    def thinking_is_on_or_off(cls, given: Json | None) -> Json | None:
        return of_type(given, ("enabled", "disabled"))

    @field_validator("response_format")
    @classmethod
    def format_is_known(cls, given: Json | None) -> Json | None:
        return of_type(given, ("text", "json_object"))

    @field_validator("tools")
    @classmethod
    def tools_are_tools(cls, given: list[Any] | None) -> list[Any] | None:
        for number, tool in enumerate(given or [], 1):
            if not isinstance(tool, dict) or tool.get("type") not in TOOLS:
                raise PartError(f"tool {number}, {shown(tool)}, is of no known type; types are {', '.join(TOOLS)}")
            function = tool.get("function")
            if tool["type"] == "function" and not (isinstance(function, dict) and function.get("name")):
                raise PartError(f"tool {number} is a function without a name; give it one")
        return given

    @field_validator("json_schema")
    @classmethod
    def schema_is_one(cls, given: Json | None) -> Json | None:
        return None if given is None else check_schema(given)

    @model_validator(mode="after")
    def asks_something(self) -> "ChatArgs":
        if self.messages is None and self.prompt is None:
            raise ValueError("prompt: is missing; a chat needs a prompt, or messages")
        if self.messages is not None and (self.prompt or self.system or self.images):
            raise ValueError("messages: have the whole conversation; leave prompt, system and images out beside them")
        if self.json_schema is not None and (self.response_format or {}).get("type") == "text":
            raise ValueError("json_schema: is for JSON answers; leave response_format out, or set it to json_object")
        seen = {kind for kind, _ in chats.parts(self.conversation) if kind != "text"}
        if seen and self.model in MODELS and self.model not in VISION:
            raise ValueError(f"model: {self.model} reads text alone; for images choose from {', '.join(VISION)}")
        return self

    @property
    def conversation(self) -> list[Json]:
        if self.messages is not None:
            return self.messages
        system: list[Json] = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, chats.written(self.prompt or "", self.images, CHAT)]

    def stored(self) -> Json:
        known = super().stored()
        for name in ("prompt", "system", "images"):
            known.pop(name, None)
        if self.json_schema is not None:
            known["response_format"] = {"type": "json_object"}
        return {**known, "messages": self.conversation}


def of_type(given: Json | None, types: tuple[str, ...]) -> Json | None:
    if given is not None and given.get("type") not in types:
        raise PartError(f"is of type {shown(given.get('type'))}; types are {', '.join(types)}")
    return given


def check(row: dict[str, Any], folder: Files, kind: Kind) -> Checked:
    args, warnings = read_args(ChatArgs, row, kind, context={"folder": folder})
    known = kind.models.get(args.model)
    stored = args.stored()
    output = args.max_tokens or (known.output_tokens if known else DEFAULT_TOKENS)
    if args.max_tokens is None and (known is None or known.price != FREE):
        warnings = [*warnings, f"no max_tokens: up to {output:,} tokens of answer count in what it may cost"]
    return Checked([stored], warnings, tokens=Tokens(input=input_tokens(stored), output=output))


def input_tokens(args: Json) -> int:
    """How many tokens go in, at most; the tokenizer knows better, and costs a call."""
    said = sent_messages(args)
    texts = [text for kind, text in chats.parts(said) if kind == "text"]
    if args.get("tools"):
        texts.append(json.dumps(args["tools"], ensure_ascii=False))
    looked_at = sum(SHOWN_TOKENS[kind] for kind, _ in chats.parts(said) if kind != "text")
    return sum(map(tokens_in, texts)) + 8 * len(said) + looked_at


def sent_messages(args: Json) -> list[Json]:
    """The conversation, with the schema that the answer is to fit in words before it."""
    schema = args.get("json_schema")
    if schema is None:
        return list(args["messages"])
    words = f"Answer with JSON that fits this JSON schema: {json.dumps(schema, ensure_ascii=False)}"
    return [{"role": "system", "content": words}, *args["messages"]]


def request(args: Json, intent: Intent, endpoint: str) -> Request:
    sent = {name: value for name, value in args.items() if name != "json_schema"}
    return Request(
        endpoint=endpoint,
        json={
            **sent, "messages": chats.outgoing(sent_messages(args), CHAT), "request_id": intent.request_id,
        },
        read_timeout_s=READ_TIMEOUT_S,
        stream=bool(args.get("stream")),
    )  # fmt: skip


#: Reasons to end that make no answer.
FAILED = {
    "sensitive": ("1301", "the answer was stopped, as its content is refused"),
    "network_error": ("network_error", "the model failed while it wrote the answer"),
}


def read(answer: Json, args: Json) -> Result:
    """The first choice: its text (or JSON), its calls of tools, and the answer whole."""
    choices = answer.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if not isinstance(message, dict):
        raise UnreadableAnswerError("the answer has no message in `choices`")
    if (reason := choice.get("finish_reason")) in FAILED:
        return RemoteFailed(*FAILED[reason])
    calls = message.get("tool_calls")
    text = "".join(text for kind, text in chats.parts([plain(message)]) if kind == "text")
    if not text.strip() and not calls:
        raise UnreadableAnswerError(f"the answer has no text; it ended with {reason!r}{LENGTH.get(str(reason), '')}")
    outputs = []
    if text.strip():
        outputs.append(as_json(text, args) if wants_json(args) else as_text(text))
    if isinstance(calls, list) and calls:
        outputs.append(json_file("tool_calls", calls))
    return Outputs([*outputs, json_file("json", answer)])


LENGTH = {
    "length": ": its tokens went into thoughts; give it more max_tokens, or set thinking to disabled",
    "model_context_window_exceeded": ": what it was given is too long for the model",
}


def plain(message: Json) -> Json:
    """A message whose content is what `parts` understands."""
    content = message.get("content")
    known = isinstance(content, str) or (
        isinstance(content, list) and all(isinstance(each, dict) and each.get("type") == "text" for each in content)
    )
    return {"content": content if known else None}


def wants_json(args: Mapping[str, Any]) -> bool:
    return (args.get("response_format") or {}).get("type") == "json_object"


def as_text(text: str) -> Output:
    return Output(role="text", suffix=".txt", mime="text/plain", data=text.encode("utf-8", "replace"), text=text)


def as_json(text: str, args: Json) -> Output:
    """Raises UnreadableAnswerError where it is no JSON, or does not fit the schema."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    if (wrong := misfit(bare, args.get("json_schema"))) is not None:
        raise UnreadableAnswerError(f"the answer {wrong}")
    return Output(role="text", suffix=".json", mime="application/json", data=bare.encode("utf-8", "replace"), text=bare)


def json_file(role: str, value: Any) -> Output:
    data = json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    return Output(role=role, suffix=".json", mime="application/json", data=data)


def kind_of(name: str, *, default_model: str, believed_s: float) -> Kind:
    """The kind whose endpoint has its name."""

    def check_row(row: dict[str, Any], folder: Files) -> Checked:
        return check(row, folder, made)

    def request_of(args: Json, intent: Intent) -> Request:
        return request(args, intent, name)

    made = Kind(
        name=name,
        default_model=default_model,
        models=MODELS,
        believed_s=believed_s,
        fields=sorted(ChatArgs.model_fields),
        check=check_row,
        request=request_of,
        read=read,
        makes=("text", "tool_calls", "json"),
        files=frozenset({"images", "image_url", "video_url", "file_url"}),
        usage=usage,
    )
    return made
