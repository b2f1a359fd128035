"""What goes into each endpoint and what comes out, as the documents tell.

TypedDicts, as they cost nothing when they are read: an answer stays the JSON that it is, fields that no
document knows pass in both directions, and `typing.get_type_hints` tells the command line and `doctor --api`
what there is. `Seed…` has the fields that the seed lists; what is added comes from docs.z.ai's API reference,
or, where it says so, from bigmodel's OpenAPI. Required are those that docs.z.ai requires.
"""

from typing import Any, Literal, NotRequired, Required, TypedDict

Object = dict[str, Any]


# -- chat and code: docs.z.ai/api-reference/llm/chat-completion --------------------------------------------


class Message(TypedDict, total=False):
    """`content`: text or, for models of vision, a list of parts of type text, image_url, video_url or file_url."""

    role: Required[Literal["system", "user", "assistant", "tool"]]
    content: str | list[Object]
    reasoning_content: str
    tool_calls: list[Object]
    tool_call_id: str


class SeedChat(TypedDict, total=False):
    do_sample: bool
    max_tokens: int
    messages: Required[list[Message]]
    model: Required[str]
    request_id: str
    response_format: Object
    stop: list[str]
    stream: bool
    temperature: float
    thinking: Object
    tool_choice: str
    tool_stream: bool
    tools: list[Object]
    top_p: float
    user_id: str


class Chat(SeedChat, total=False):
    #: bigmodel: glm-5.2 alone.
    reasoning_effort: str


class Choice(TypedDict, total=False):
    """finish_reason: stop, tool_calls, length, sensitive, network_error or model_context_window_exceeded."""

    index: int
    message: Message
    finish_reason: str


class Usage(TypedDict, total=False):
    """Counts of tokens. `prompt_tokens_details.cached_tokens` are cheaper."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Object


class ChatAnswer(TypedDict, total=False):
    id: str
    request_id: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    web_search: list[Object]


# -- images: docs.z.ai/api-reference/image ---------------------------------------------------------------


class SeedImage(TypedDict, total=False):
    model: Required[str]
    #: In no document of Z.AI's: one call makes one image.
    n: int
    prompt: Required[str]
    size: str


class Image(SeedImage, total=False):
    quality: Literal["hd", "standard"]
    user_id: str


class ImageAsync(TypedDict, total=False):
    model: Required[str]
    prompt: Required[str]
    size: str
    quality: Literal["hd"]
    user_id: str


class Url(TypedDict, total=False):
    """A result. Images and videos are to be fetched at once: they do not stay."""

    url: str
    cover_image_url: str


class ImageAnswer(TypedDict, total=False):
    created: int
    id: str
    data: list[Url]
    content_filter: list[Object]


# -- videos and what tasks become: docs.z.ai/api-reference/video -----------------------------------------


class SeedVideo(TypedDict, total=False):
    model: Required[str]
    prompt: str


class Video(SeedVideo, total=False):
    image_url: str | list[str]
    size: str
    duration: int
    fps: int
    quality: Literal["speed", "quality"]
    with_audio: bool
    style: str
    aspect_ratio: str
    movement_amplitude: str
    request_id: str
    user_id: str


class TaskAnswer(TypedDict, total=False):
    """task_status: PROCESSING, SUCCESS or FAIL."""

    model: str
    id: str
    request_id: str
    task_status: str


class SeedResult(TypedDict, total=False):
    id: Required[str]


class ResultAnswer(TaskAnswer, total=False):
    video_result: list[Url]
    image_result: list[Url]
    choices: list[Choice]


# -- transcriptions: docs.z.ai/api-reference/audio/audio-transcriptions ----------------------------------


class SeedTranscription(TypedDict, total=False):
    file: str
    #: These three are in no document of Z.AI's.
    language: str
    response_format: str
    temperature: float
    model: Required[str]
    prompt: str


class Transcription(SeedTranscription, total=False):
    file_base64: str
    hotwords: list[str]
    stream: bool
    request_id: str
    user_id: str


class TranscriptionAnswer(TypedDict, total=False):
    id: str
    created: int
    request_id: str
    model: str
    text: str


# -- tools: docs.z.ai/api-reference/tools ----------------------------------------------------------------


class SeedTokenizer(TypedDict, total=False):
    #: Z.AI's name is `messages`.
    input: str
    model: Required[str]


class Tokenizer(SeedTokenizer, total=False):
    messages: list[Message]
    tools: list[Object]
    request_id: str
    user_id: str


class TokenizerAnswer(TypedDict, total=False):
    """usage: prompt_tokens, image_tokens, video_tokens, total_tokens."""

    id: str
    created: int
    request_id: str
    usage: dict[str, int]


class SeedWebSearch(TypedDict, total=False):
    #: Z.AI's names are `count` and `search_query`.
    max_results: int
    query: str


class WebSearch(SeedWebSearch, total=False):
    search_query: str
    search_engine: str
    count: int
    search_domain_filter: str
    search_recency_filter: Literal["oneDay", "oneWeek", "oneMonth", "oneYear", "noLimit"]
    request_id: str
    user_id: str


class SearchResult(TypedDict, total=False):
    title: str
    content: str
    link: str
    media: str
    icon: str
    refer: str
    publish_date: str


class WebSearchAnswer(TypedDict, total=False):
    id: str
    created: int
    request_id: str
    search_intent: list[Object]
    search_result: list[SearchResult]


class SeedReader(TypedDict, total=False):
    url: Required[str]


class Reader(SeedReader, total=False):
    timeout: int
    no_cache: bool
    return_format: str
    retain_images: bool
    no_gfm: bool
    keep_img_data_url: bool
    with_images_summary: bool
    with_links_summary: bool
    request_id: str
    user_id: str


class ReaderAnswer(TypedDict, total=False):
    """reader_result: content, title, url, description, metadata, external."""

    id: str
    created: int
    request_id: str
    model: str
    reader_result: Object


# -- agents: docs.z.ai/api-reference/agents --------------------------------------------------------------


class SeedAgent(TypedDict, total=False):
    agent_id: Required[str]
    messages: Required[list[Message]]
    #: In no document of Z.AI's.
    model: str


class Agent(SeedAgent, total=False):
    stream: bool
    conversation_id: str
    custom_variables: Object
    request_id: str
    user_id: str


class AgentChoice(TypedDict, total=False):
    """`messages` for translations, `message` for the others; bigmodel has `messages` for all."""

    index: int
    finish_reason: str
    message: list[Object]
    messages: list[Object]


class AgentAnswer(TypedDict, total=False):
    """async_id: the work goes on; ask for it with agent_result."""

    id: str
    agent_id: str
    conversation_id: str
    async_id: str
    status: str
    choices: list[AgentChoice]
    usage: Usage


class AgentResult(TypedDict, total=False):
    agent_id: Required[str]
    async_id: Required[str]
    #: zai-sdk sends these two as well.
    conversation_id: str
    custom_variables: Object


class AgentResultAnswer(TypedDict, total=False):
    """status: pending, success or failed."""

    agent_id: str
    async_id: str
    status: str
    choices: list[AgentChoice]
    usage: Usage


class AgentHistory(TypedDict, total=False):
    """For slides_glm_agent alone."""

    agent_id: Required[str]
    conversation_id: Required[str]
    custom_variables: Object


class AgentHistoryAnswer(TypedDict, total=False):
    conversation_id: str
    agent_id: str
    choices: list[AgentChoice]
    error: Object


class FileUpload(TypedDict, total=False):
    """A file of at most 100 MB: pdf, doc, xlsx, ppt, txt, jpg or png; kept for 180 days, 100 of them."""

    file: Required[str]
    #: `agent`; bigmodel also batch, code-interpreter and voice-clone-input.
    purpose: Required[str]


class FileAnswer(TypedDict, total=False):
    id: str
    object: str
    bytes: int
    filename: str
    purpose: str
    created_at: int


# -- lists -----------------------------------------------------------------------------------------------


class Nothing(TypedDict):
    """No field at all."""


class ModelsAnswer(TypedDict, total=False):
    """In no specification; many clients ask for it."""

    object: str
    data: list[Object]


class Definition(TypedDict, total=False):
    """An OpenAPI document: its paths are those of the new URL format."""

    openapi: str
    info: Object
    servers: list[Object]
    paths: NotRequired[Object]
