"""The endpoints that take work on: where each lies, what it refuses, what it does. One table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from sandbox import agents, chat, checks, streams, text_checks, tools, work
from sandbox.ledger import Entry
from sandbox.refusals import Refusal
from sandbox.scene import Scene
from sandbox.work import Answer, Given


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Paths by the seed (`proxy`, below /zai) and by docs.z.ai (`direct`).

    proxy: none where the proxy does not offer it. old_proxy: in the old format, where that is another one.
    free: it costs nothing, so an account without a balance may call it. limit: what its calls count against,
    where that is not the model. events: how its answer is streamed.
    """

    direct: str
    check: Callable[[dict[str, Any]], checks.Refusal]
    work: Callable[[Scene, Entry, Given], Awaitable[Answer | Refusal]]
    proxy: str | None = None
    old_proxy: str | None = None
    free: bool = False
    limit: str | None = None
    model_field: str = "model"
    events: streams.Streamed | None = None


V4 = "/api/paas/v4"
POSTS: dict[str, Post] = {
    "image": Post(proxy=f"{V4}/generate/image", direct=f"{V4}/images/generations", check=checks.image, work=work.image),
    "image_async": Post(direct=f"{V4}/async/images/generations", check=checks.image_async, work=work.image_async),
    "video": Post(
        proxy=f"{V4}/videos/generations", direct=f"{V4}/videos/generations", check=checks.video, work=work.video
    ),
    "transcription": Post(
        proxy=f"{V4}/audio/transcriptions",
        direct=f"{V4}/audio/transcriptions",
        check=checks.transcription,
        work=work.transcription,
        events=streams.transcript,
    ),
    "chat": Post(
        proxy=f"{V4}/chat/completions",
        direct=f"{V4}/chat/completions",
        check=text_checks.chat,
        work=chat.chat,
        events=streams.chat,
    ),
    "code": Post(
        proxy="/api/coding/paas/v4/chat/completions",
        direct="/api/coding/paas/v4/chat/completions",
        check=text_checks.chat,
        work=chat.code,
        events=streams.chat,
    ),
    "agent": Post(
        proxy="/api/v1/agents",
        old_proxy="/v1/agents",
        direct="/api/v1/agents",
        check=text_checks.agent,
        work=agents.agent,
        model_field="agent_id",
        events=streams.agent,
    ),
    "tokenizer": Post(
        proxy="/paas/v4/tokenizer",
        direct=f"{V4}/tokenizer",
        check=text_checks.tokenizer,
        work=tools.tokenizer,
        free=True,
        limit="tokenizer",
    ),
    "web_search": Post(
        proxy="/paas/v4/web_search",
        direct=f"{V4}/web_search",
        check=text_checks.web_search,
        work=tools.web_search,
        limit="web_search",
    ),
    "reader": Post(
        proxy="/paas/v4/reader", direct=f"{V4}/reader", check=text_checks.reader, work=tools.reader, limit="reader"
    ),
    "file_upload": Post(
        proxy=f"{V4}/files",
        direct=f"{V4}/files",
        check=text_checks.file_upload,
        work=tools.file_upload,
        free=True,
        limit="file_upload",
    ),
}
