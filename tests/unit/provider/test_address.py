"""Where a call goes, on each side and in each URL format."""

import pytest

from provider.address import Address, Style, is_direct, with_provider
from provider.endpoints import ENDPOINTS, endpoint_at
from provider.formats import NEW, OLD

CLOUD = "https://api.lowcodeapi.com/zai"
ZAI = "https://api.z.ai/api"
URLS: dict[str, tuple[str, str, str, str]] = {
    # base URL, endpoint → new format, old format
    "the seed's new and old": (
        CLOUD,
        "async_result",
        f"{CLOUD}/api/paas/v4/async-result/a%2F1?api_token=at%201",
        f"{CLOUD}/api/paas/v4/async-result/id?api_token=at%201&id=a%2F1",
    ),
    "the agents'": (CLOUD, "agent", f"{CLOUD}/api/v1/agents?api_token=at%201", f"{CLOUD}/v1/agents?api_token=at%201"),
    "one URL for both": (
        CLOUD,
        "tokenizer",
        f"{CLOUD}/paas/v4/tokenizer?api_token=at%201",
        f"{CLOUD}/paas/v4/tokenizer?api_token=at%201",
    ),
    "directly": (ZAI, "async_result", f"{ZAI}/paas/v4/async-result/a%2F1", f"{ZAI}/paas/v4/async-result/a%2F1"),
    "directly, by the base that the SDK has": (f"{ZAI}/paas/v4/", "agent", f"{ZAI}/v1/agents", f"{ZAI}/v1/agents"),
    "what describes the proxy": (
        CLOUD,
        "openapi",
        "https://backend.lowcodeapi.com/zai/openapi",
        "https://backend.lowcodeapi.com/zai/definition",
    ),
    "what describes a proxy elsewhere": (
        "http://127.0.0.1:8099/zai",
        "openapi",
        "http://127.0.0.1:8099/zai/openapi",
        "http://127.0.0.1:8099/zai/definition",
    ),
}


@pytest.mark.parametrize(("base", "name", "new", "old"), URLS.values(), ids=URLS)
def test_urls(base: str, name: str, new: str, old: str) -> None:
    address = Address(base, "at 1")
    endpoint = ENDPOINTS[name]
    path = dict.fromkeys(endpoint.path_names, "a/1")
    assert [address.url(name, endpoint, path, {}, form) for form in (NEW, OLD)] == [new, old]


def test_the_seeds_own_example() -> None:
    """New: /{provider}/resource/{id}?api_token=XXX; old: /{provider}/resource/id?id={id}&api_token=XXX."""
    address = Address(with_provider(CLOUD, "openai"), "XXX")
    endpoint = endpoint_at("/resource/{id}", "GET")
    query = {"limit": "2"}
    assert address.url("x", endpoint, {"id": "7"}, query, NEW) == (
        "https://api.lowcodeapi.com/openai/resource/7?api_token=XXX&limit=2"
    )
    assert address.url("x", endpoint, {"id": "7"}, query, OLD) == (
        "https://api.lowcodeapi.com/openai/resource/id?api_token=XXX&limit=2&id=7"
    )


@pytest.mark.parametrize(
    ("base", "other"),
    [
        (CLOUD, "https://api.lowcodeapi.com/openai"),
        (f"{CLOUD}/", "https://api.lowcodeapi.com/openai"),
        ("http://127.0.0.1:8099/gate/zai", "http://127.0.0.1:8099/gate/openai"),
        ("http://127.0.0.1:8099", "http://127.0.0.1:8099/openai"),
    ],
)
def test_another_provider_takes_the_place_of_ours(base: str, other: str) -> None:
    assert with_provider(base, "openai") == other


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_is_in_no_table_is_asked_again_only_if_that_is_harmless(method: str) -> None:
    endpoint = endpoint_at("/a/{b}/{c}", method)
    assert (endpoint.path_names, endpoint.old_path) == (["b", "c"], "/a/b/c")
    assert endpoint.idempotent is (method == "GET")
    assert endpoint_at("/a/b", method).old_path is None


SIDES: list[tuple[str, Style, bool]] = [
    (CLOUD, "auto", False),
    (ZAI, "auto", True),
    ("https://api.z.ai", "auto", True),
    ("http://127.0.0.1:8099/api", "auto", True),
    ("http://127.0.0.1:8099/api/paas/v4/", "auto", True),
    ("http://127.0.0.1:8099/zai", "auto", False),
    (CLOUD, "direct", True),
    (ZAI, "proxy", False),
]


@pytest.mark.parametrize(("base", "style", "direct"), SIDES)
def test_which_side_it_is(base: str, style: Style, direct: bool) -> None:
    assert is_direct(base, style) is direct
