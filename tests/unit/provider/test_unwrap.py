"""Wrappers and errors in all their shapes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider.unwrap import InnerError, find_error, read_retry_after, retry_after_s, unwrap

IMAGE = {"created": 1, "data": [{"url": "http://x/1.png"}]}
TASK = {"id": "1", "task_status": "PROCESSING"}

WRAPPED: dict[str, tuple[Any, Any]] = {
    "seed": ({"data": TASK}, TASK),
    "proxy's source": ({"message": "ok", "provider": "zai", "result": TASK, "response_headers": {}}, TASK),
    "bare": (TASK, TASK),
    "bare image: its data is no wrapper": (IMAGE, IMAGE),
    "wrapped image": ({"data": IMAGE}, IMAGE),
    "image in result": ({"result": IMAGE}, IMAGE),
    "bare image without created": ({"data": [{"url": "u"}]}, {"data": [{"url": "u"}]}),
    "twice wrapped, taken off once": ({"data": {"data": TASK}}, {"data": TASK}),
    "nothing in it": ({}, {}),
}


@pytest.mark.parametrize(("body", "inside"), WRAPPED.values(), ids=WRAPPED)
def test_unwrap(body: Any, inside: Any) -> None:
    assert unwrap(body) == inside


@pytest.mark.parametrize("body", [None, [], "text", 1])
def test_what_is_no_object_is_refused(body: Any) -> None:
    with pytest.raises(ValueError, match="expected a JSON object"):
        unwrap(body)


ERRORS: dict[str, tuple[Any, InnerError | None]] = {
    "Z.AI": ({"error": {"code": "1214", "message": "bad"}}, InnerError("1214", "bad")),
    "a number for a code": ({"error": {"code": 1214, "message": "bad"}}, InnerError("1214", "bad")),
    "seed": ({"data": {"error": {"code": "X", "message": "m"}}}, InnerError("X", "m")),
    "proxy's source": (
        {"message": "Error received", "provider": "zai", "error": {"error": {"code": "1302", "message": "m"}}},
        InnerError("1302", "m"),
    ),
    "proxy itself": ({"message": "Not Found"}, None),
    "proxy's own error": (
        {"message": "no credential", "provider": "zai", "error": {"code": 401}},
        InnerError("401", "no credential"),
    ),
    "a word": ({"error": "nope"}, InnerError(None, "nope")),
    "null is no error": ({"error": None, "id": "1"}, None),
    "empty is no error": ({"error": {}}, None),
    "too deep": ({"data": {"data": {"data": {"data": {"error": {"code": "1"}}}}}}, None),
    "no code": ({"error": {"message": "m"}}, InnerError(None, "m")),
    "success": (IMAGE, None),
}


@pytest.mark.parametrize(("body", "error"), ERRORS.values(), ids=ERRORS)
def test_find_error(body: Any, error: InnerError | None) -> None:
    assert find_error(body) == error


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", "result", "error", "code", "id"]), inner),
)


@given(JSON)
def test_no_body_breaks_the_reading(body: Any) -> None:
    error = find_error(body)
    assert error is None or isinstance(error.message, str)
    if isinstance(body, dict):
        assert isinstance(unwrap(body), dict)


NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
WAITS: dict[str, float | None] = {
    "7": 7.0,
    "0": None,
    "-1": None,
    "abc": None,
    "86400": 86400.0,
    "864000": 86400.0,
    "nan": None,
    "Tue, 24 Nov 2026 10:01:00 GMT": 60.0,
    "Tue, 24 Nov 2026 09:00:00 GMT": None,
}


@pytest.mark.parametrize(("value", "seconds"), WAITS.items())
def test_retry_after(value: str, seconds: float | None) -> None:
    assert read_retry_after(value, NOW) == seconds


def test_retry_after_may_lie_in_the_body() -> None:
    assert retry_after_s({}, {"headers": {"Retry-After": "5"}}, NOW) == 5.0
    assert retry_after_s({"retry-after": "3"}, {"headers": {"Retry-After": "5"}}, NOW) == 3.0
    assert retry_after_s({}, None, NOW) is None
