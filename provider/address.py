"""Where a call goes: the proxy or Z.AI itself, in the new or the old URL format. Pure."""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from provider.endpoints import Endpoint
from provider.errors import Action, NotSent, Ruling
from provider.formats import OLD

DIRECT_HOSTS = frozenset({"api.z.ai", "open.bigmodel.cn"})
#: The proxy's host → the host that describes it. Elsewhere it is the same one.
BACKENDS = {"api.lowcodeapi.com": "backend.lowcodeapi.com"}

Style = Literal["auto", "proxy", "direct"]


def is_direct(base_url: str, style: Style) -> bool:
    """Whether this is Z.AI itself: by setting, by host, or by a base URL that ends in /api."""
    if style != "auto":
        return style == "direct"
    parts = urlsplit(base_url)
    return parts.hostname in DIRECT_HOSTS or parts.path.rstrip("/").endswith(("/api", "/api/paas/v4"))


def with_provider(base_url: str, provider: str) -> str:
    """The proxy's base URL for another provider: the last part of its path is the provider's name."""
    parts = urlsplit(base_url)
    above = parts.path.rstrip("/").rpartition("/")[0]
    return urlunsplit(parts._replace(path=f"{above}/{quote(provider, safe='')}"))


class Address:
    """The base URL of one side of the API, and the token for it."""

    def __init__(self, base_url: str, token: str, style: Style = "auto") -> None:
        self.direct = is_direct(base_url, style)
        self.base = base_url.rstrip("/").removesuffix("/paas/v4") if self.direct else base_url.rstrip("/")
        self._token = token

    def url(
        self, name: str, endpoint: Endpoint, path: Mapping[str, str], query: Mapping[str, str], url_format: str
    ) -> str:
        """The whole URL. path, query: parameters by their names.

        New format: the path's parameters stay in the path. Old: they go to the query. Raises NotSent where this
        side does not offer the endpoint.
        """
        there = offered(name, endpoint, direct=self.direct)
        asked = dict(query)
        if not (self.direct or endpoint.described):
            asked = {"api_token": self._token, **asked}
        if url_format == OLD and endpoint.old_path is not None and not self.direct:
            there, asked = endpoint.old_path, {**asked, **path}
        else:
            for parameter, value in path.items():
                there = there.replace("{" + parameter + "}", quote(value, safe=""))
        base = backend(self.base) if endpoint.described else self.base
        return base + there + (f"?{urlencode(asked, quote_via=quote, safe='')}" if asked else "")


def backend(base: str) -> str:
    """Where the proxy describes itself."""
    parts = urlsplit(base)
    return urlunsplit(parts._replace(netloc=BACKENDS.get(parts.netloc, parts.netloc)))


def offered(name: str, endpoint: Endpoint, *, direct: bool) -> str:
    """Its path on this side of the API. Raises NotSent where there is none."""
    path = endpoint.direct_path if direct else endpoint.new_path
    if path is None:
        raise not_offered(name, direct=direct)
    return path


def not_offered(name: str, *, direct: bool) -> NotSent:
    """No path leads there on this side of the API."""
    side, other = ("by Z.AI directly", "through the proxy") if direct else ("through the proxy", "by Z.AI directly")
    return NotSent(f"{name} is not offered {side}, only {other}", ruling=Ruling(Action.FAIL), code="not_offered")
