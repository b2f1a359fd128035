"""What goes to the API and what comes back, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from provider.endpoints import Endpoint

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file part of a multipart body, held in memory when it is sent: the API takes 25 MB at most.

    `source`: where the bytes are to be read from (a path, or s3://…) before the call is made.
    """

    filename: str
    mime: str
    source: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """Within a request's `json`: here goes the file at `source` (file:// or s3://), as a data URL, when it is sent."""

    source: str
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call.

    `endpoint` names an entry of `provider.endpoints.ENDPOINTS`; `direct_endpoint` the one that is used instead
    where Z.AI itself is spoken to, if any.
    `json` is a JSON body; `form` with `upload` a multipart one; `path` fills the
    endpoint's path parameters, `query` goes along. `at`: an endpoint that is in no table; its name is then
    what its URL format is remembered by. `read_timeout_s`: seconds to wait for the answer. `stream`: it was
    asked to come as events, and is read as they come; then they are seconds between two of them. `plain`: a text
    was asked for, which may come without JSON around it.
    """

    endpoint: str
    direct_endpoint: str | None = None
    json: Json | None = None
    form: Mapping[str, str] | None = None
    upload: Upload | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    at: Endpoint | None = None
    read_timeout_s: float = 60.0
    stream: bool = False
    plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A success. `body` is unwrapped, and what a call without a stream has; `raw` came so, but for the token."""

    http_status: int
    body: Json
    raw: bytes
