"""Z.AI's agents: translation, slides and posters, effect videos. Some answer at once, some by a task.

Fields: docs.z.ai/api-reference/agents; languages and strategies: bigmodel's OpenAPI. A conversation's history,
which is its slides as images or as a PDF, is a call of its own and costs nothing.
"""

import json
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from provider.wire import Json, Request
from worker import messages as chats
from worker.folders import Files
from worker.glm import tokens_in, usage
from worker.images import all_located
from worker.kind import (
    Args,
    Cell,
    Checked,
    Intent,
    Kind,
    Model,
    Output,
    Outputs,
    Pending,
    Prompt,
    Remote,
    RemoteFailed,
    Result,
    Text,
    UnreadableAnswerError,
    folder_of,
    read_args,
    renamed,
    storable,
)
from worker.messages import AGENT
from worker.tariff import TokenPrice, Tokens
from worker.wording import shown

TRANSLATION, SLIDES, EFFECTS = "general_translation", "slides_glm_agent", "vidu_template_agent"
MAX_IMAGES = 10
LANGUAGES = frozenset({
    "zh-CN", "zh-TW", "wyw", "yue", "en", "en-GB", "en-US", "ja", "ko", "fr", "de", "es", "ru", "pt", "it", "ar", "hi",
    "bg", "cs", "da", "el", "et", "fi", "hu", "id", "lt", "lv", "nl", "no", "pl", "ro", "sk", "sl", "sv", "th", "tr",
    "uk", "vi", "my", "ms", "Pinyin", "IPA",
})  # fmt: skip
#: custom_variables of a translation → what they may be.
CHOICES = {
    "source_lang": LANGUAGES | {"auto"},
    "target_lang": LANGUAGES,
    "strategy": frozenset({"general", "paraphrase", "two_step", "three_step", "reflection", "cot"}),
}
#: Believed: tokens of a whole task's steps; and what a translation writes for a token that it reads.
SLIDES_TOKENS = 200_000
WRITTEN_FOR_READ = 3


class AgentArgs(Args):
    """`model` is the agent: its limits, pauses and prices go by it."""

    #: How rows name the agent: `check` takes it for `model`.
    agent_id: Text | None = None
    #: The seed's `model`, where an agent is named beside it: sent as it is.
    agent_model: Text | None = None
    messages: Annotated[list[Any] | None, AfterValidator(storable), Cell] = None
    prompt: Prompt | None = Field(default=None, min_length=1, max_length=chats.MAX_PROMPT)
    images: list[str] = Field(default=[])
    stream: bool | None = None
    conversation_id: Text | None = Field(default=None, min_length=1, max_length=200)
    custom_variables: Annotated[Json | None, AfterValidator(storable), Cell] = None
    #: Ours: fetch the conversation's slides, and ask nothing.
    history: Literal["images", "pdf"] | None = None

    @field_validator("messages")
    @classmethod
    def messages_are_messages(cls, given: list[Any] | None, info: ValidationInfo) -> list[Json] | None:
        return None if given is None else chats.checked(given, folder_of(info), AGENT)

    @field_validator("images", mode="plain")
    @classmethod
    def images_are_images(cls, given: Any, info: ValidationInfo) -> list[str]:
        return all_located(given, folder_of(info), most=MAX_IMAGES, max_bytes=chats.MAX_IMAGE_BYTES)

    @model_validator(mode="after")
    def fits_agent(self) -> "AgentArgs":
        if self.history is not None:
            check_history(self)
        elif self.messages is None and self.prompt is None:
            raise ValueError("prompt: is missing; an agent needs a prompt, or messages")
        elif self.messages is not None and (self.prompt or self.images):
            raise ValueError("messages: have the whole conversation; leave prompt and images out beside them")
        elif self.model == TRANSLATION:
            check_translation(self.custom_variables or {})
        elif self.model == EFFECTS:
            check_effects(self)
        return self

    @property
    def conversation(self) -> list[Json]:
        if self.messages is not None:
            return self.messages
        return [chats.written(self.prompt or "", self.images, AGENT)]

    def stored(self) -> Json:
        known = {name: value for name, value in super().stored().items() if name not in {"prompt", "images"}}
        return known if self.history else {**known, "messages": self.conversation}


def check_history(args: AgentArgs) -> None:
    if args.model != SLIDES:
        raise ValueError(f"history: is kept by {SLIDES} alone; name that agent, or leave history out")
    if args.conversation_id is None:
        raise ValueError("conversation_id: is missing; it names the conversation whose history is wanted")
    if args.messages or args.prompt or args.images or args.stream:
        raise ValueError("history: is fetched, and nothing asked; leave messages, prompt, images and stream out")


def check_translation(variables: Json) -> None:
    for name, choices in CHOICES.items():
        value = variables.get(name)
        if value is not None and (not isinstance(value, str) or value not in choices):
            raise ValueError(f"custom_variables: {name} is {shown(value)}; choose from {', '.join(sorted(choices))}")


def check_effects(args: AgentArgs) -> None:
    if not (args.custom_variables or {}).get("template"):
        raise ValueError(f"custom_variables: have no template, which {EFFECTS} needs, such as bodyshake")
    if not any(kind == "image_url" for kind, _ in chats.parts(args.conversation)):
        field = "images" if args.messages is None else "messages"
        raise ValueError(f"{field}: {EFFECTS} needs an image to begin with; give one")


def check(row: dict[str, Any], folder: Files) -> Checked:
    given = {name: value for name, value in row.items() if value is not None}
    names: dict[str, str] = {}
    if "agent_id" in given:
        names = {"model": "agent_id", "agent_model": "model"}
        beside, given["model"] = given.get("model"), given.pop("agent_id")
        if beside not in (None, given["model"]):
            given["agent_model"] = beside
    try:
        args, warnings = read_args(AgentArgs, given, KIND, context={"folder": folder})
    except ValidationError as error:
        raise renamed(error, names) from None
    if args.history:
        return Checked([args.stored()], warnings, units=Decimal(0))
    read_ = sum(tokens_in(text) for _, text in chats.parts(args.conversation)) + 1
    output = SLIDES_TOKENS if args.model == SLIDES else read_ * WRITTEN_FOR_READ
    return Checked([args.stored()], warnings, tokens=Tokens(input=read_, output=output))


def request(args: Json, intent: Intent) -> Request:
    if args.get("history"):
        return history(args)
    names = ("stream", "conversation_id", "custom_variables", "user_id")
    sent = {name: args[name] for name in names if name in args}
    if "agent_model" in args:
        sent["model"] = args["agent_model"]
    return Request(
        endpoint="agent",
        json={
            **sent, "agent_id": args["model"], "messages": chats.outgoing(args["messages"], AGENT),
            "request_id": intent.request_id,
        },
        read_timeout_s=900.0,
        stream=bool(args.get("stream")),
    )  # fmt: skip


def history(args: Json) -> Request:
    variables = {**(args.get("custom_variables") or {}), "include_pdf": args["history"] == "pdf"}
    return Request(
        endpoint="agent_history",
        json={
            "agent_id": args["model"], "conversation_id": args["conversation_id"], "custom_variables": variables,
        },
        read_timeout_s=300.0,
    )  # fmt: skip


def poll(remote_id: str, args: Json) -> Request:
    return Request(
        endpoint="agent_result", json={"agent_id": args["model"], "async_id": remote_id}, read_timeout_s=30.0
    )


def read(answer: Json, _args: Json) -> Result:
    """An answer at once, a task's id, or how far the task is."""
    status = str(answer.get("status") or "").lower()
    if status in {"failed", "fail"}:
        return RemoteFailed.told_by(answer)
    if answer.get("choices"):
        return finished(answer)
    if isinstance(task := answer.get("async_id"), str | int) and not isinstance(task, bool) and task != "":
        return Remote(str(task))
    if status and status not in {"success", "succeeded"}:
        return Pending()
    raise UnreadableAnswerError("the answer has no `choices`, and no `async_id` to ask for")


#: Type of a part → role, suffix and mime of the file that it names.
FILES = {
    "image_url": ("image", ".png", "image/png"),
    "video_url": ("video", ".mp4", "video/mp4"),
    "audio_url": ("audio", ".mp3", "audio/mpeg"),
    "file_url": ("file", ".bin", "application/octet-stream"),
}


def finished(answer: Json) -> Outputs:
    """What was said, files by URL, slides as HTML, and the answer whole."""
    said: list[str] = []
    files: list[Output] = []
    for phase, part in pieces(answer):
        kind = part.get("type")
        if kind == "text" and phase in (None, "answer"):
            said.append(str(part.get("text") or ""))
        elif kind in FILES and isinstance(url := part.get(kind), str) and url:
            role, suffix, mime = FILES[kind]
            ending = PurePosixPath(urlsplit(url).path).suffix
            files.append(Output(role=role, suffix=ending if 1 < len(ending) <= 6 else suffix, mime=mime, url=url))
        elif isinstance(made := part.get("object"), dict) and isinstance(page := made.get("output"), str) and page:
            files.append(Output(role="page", suffix=".html", mime="text/html", data=page.encode("utf-8", "replace")))
    text = "".join(said)
    if not text and not files:
        raise UnreadableAnswerError("the answer has neither text nor files")
    outputs = [small("text", text)] if text else []
    if isinstance(conversation := answer.get("conversation_id"), str) and conversation:
        files.append(small("conversation", conversation))
    raw = json.dumps(answer, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    return Outputs([*outputs, *files, Output(role="json", suffix=".json", mime="application/json", data=raw)])


def pieces(answer: Json) -> list[tuple[str | None, Json]]:
    """All parts of all messages, with the phase that each message is of; `messages` or `message` by the agent."""
    found: list[tuple[str | None, Json]] = []
    for choice in answer["choices"] if isinstance(answer["choices"], list) else []:
        given = choice.get("messages") or choice.get("message") if isinstance(choice, dict) else None
        for message in given if isinstance(given, list) else [given]:
            if isinstance(message, dict):
                content = message.get("content")
                parts = content if isinstance(content, list) else [content]
                found += [(message.get("phase"), as_part(each)) for each in parts]
    return found


def as_part(given: Any) -> Json:
    """A part of a content, of which a string is one too."""
    return given if isinstance(given, dict) else {"type": "text", "text": given} if isinstance(given, str) else {}


def small(role: str, text: str) -> Output:
    return Output(role=role, suffix=".txt", mime="text/plain", data=text.encode("utf-8", "replace"), text=text)


def one_price(dollars: str) -> TokenPrice:
    return TokenPrice(input=Decimal(dollars), output=Decimal(dollars))


#: Prices: docs.z.ai/guides/overview/pricing. No concurrency is published.
MODELS = {
    TRANSLATION: Model(one_price("3")),
    SLIDES: Model(one_price("0.7"), believed_s=120.0),
    EFFECTS: Model(Decimal("0.20"), believed_s=90.0),
}

KIND = Kind(
    name="agent",
    default_model=TRANSLATION,
    models=MODELS,
    believed_s=10.0,  # nothing is published
    fields=sorted(AgentArgs.model_fields),
    check=check,
    request=request,
    read=read,
    makes=("text", "image", "video", "audio", "file", "page", "conversation", "json"),
    files=frozenset({"images", "image_url", "file_url"}),
    usage=usage,
    poll=poll,
)
