"""The seed's names and Z.AI's, sent as each side is to hear them."""

import pytest

from provider.endpoints import ENDPOINTS
from provider.names import as_sent
from provider.wire import Json

HELLO = [{"role": "user", "content": "hello"}]
ENGINE = {"search_engine": "search-prime"}
CASES: dict[str, tuple[str, Json, Json, Json]] = {
    # what a caller gives → what the proxy gets, what Z.AI gets
    "a search by the seed": (
        "web_search",
        {"query": "fog", "max_results": 3},
        {**ENGINE, "query": "fog", "max_results": 3, "search_query": "fog", "count": 3},
        {**ENGINE, "search_query": "fog", "count": 3},
    ),
    "a search by Z.AI": (
        "web_search",
        {"search_query": "fog", "search_engine": "search_pro"},
        {"search_query": "fog", "query": "fog", "search_engine": "search_pro"},
        {"search_query": "fog", "search_engine": "search_pro"},
    ),
    "both names, of which Z.AI's counts": (
        "web_search",
        {"query": "a", "search_query": "b"},
        {**ENGINE, "query": "a", "search_query": "b"},
        {**ENGINE, "search_query": "b"},
    ),
    "a text to count": (
        "tokenizer",
        {"model": "glm-4.6", "input": "hello"},
        {"model": "glm-4.6", "input": "hello", "messages": HELLO},
        {"model": "glm-4.6", "messages": HELLO},
    ),
    "messages to count": (
        "tokenizer",
        {"model": "glm-4.6", "messages": [*HELLO, {"role": "user", "content": [{"type": "text", "text": "you"}, {}]}]},
        {
            "model": "glm-4.6",
            "messages": [*HELLO, {"role": "user", "content": [{"type": "text", "text": "you"}, {}]}],
            "input": "hello\nyou\n",
        },
        {"model": "glm-4.6", "messages": [*HELLO, {"role": "user", "content": [{"type": "text", "text": "you"}, {}]}]},
    ),
    "names that do not differ": ("image", {"prompt": "x", "n": 2}, {"prompt": "x", "n": 2}, {"prompt": "x", "n": 2}),
    "fields that nobody knows": (
        "web_search", {"search_query": "fog", "shiny": 1},
        {**ENGINE, "search_query": "fog", "query": "fog", "shiny": 1}, {**ENGINE, "search_query": "fog", "shiny": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "given", "proxy", "direct"), CASES.values(), ids=CASES)
def test_as_sent(name: str, given: Json, proxy: Json, direct: Json) -> None:
    before = {**given}
    assert as_sent(name, ENDPOINTS[name], given, direct=False) == proxy
    assert as_sent(name, ENDPOINTS[name], given, direct=True) == direct
    assert given == before
