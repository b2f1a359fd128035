"""What the client makes of a response: answers and errors as they come over the wire."""

import json

import httpx
import pytest

from provider.client import CODE_CHARS, MESSAGE_CHARS, Client
from provider.endpoints import ENDPOINTS
from provider.errors import AnswerLost, ProviderError, Rejected
from provider.formats import Forgetful
from provider.rulings import Action
from provider.wire import Json

TOKEN = "at_secret_token"
CLIENT = Client(base_url="http://127.0.0.1:9/zai", token=TOKEN, formats=Forgetful())
IMAGE: Json = {"created": 1, "data": [{"url": "http://127.0.0.1/a.png"}]}


def read(body: bytes | object, status: int = 200, endpoint: str = "image") -> Json:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return CLIENT._read(httpx.Response(status, content=raw), ENDPOINTS[endpoint]).body


def failed(body: bytes | object, status: int = 200, endpoint: str = "image") -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        read(body, status, endpoint)
    return raised.value


@pytest.mark.parametrize("beside", [{}, {"request_id": "p1"}, {"usage": {}}, {"provider": "zai", "message": "ok"}])
@pytest.mark.parametrize("wrapper", ["data", "result"])
def test_an_answer_is_found_in_its_wrapper_whatever_is_beside_it(wrapper: str, beside: Json) -> None:
    assert read({wrapper: IMAGE, **beside}) == IMAGE


@pytest.mark.parametrize("body", [{"hello": "world"}, {"result": None}, {}, {"usage": {}}, [1]])
def test_a_200_without_any_field_of_an_answer_is_a_lost_one(body: object) -> None:
    error = failed(body)
    assert isinstance(error, AnswerLost)
    assert error.ruling.action is Action.UNKNOWN
    assert error.excerpt == json.dumps(body)


def test_json_that_is_nested_too_deep_is_a_lost_answer() -> None:
    assert failed(b"[" * 100_000).code == "not_json"


@pytest.mark.parametrize(
    ("message", "kept"),
    [({"text": "oops"}, "{'text': 'oops'}"), (["a", "b"], "['a', 'b']"), (None, "Bad Request"), (7, "7")],
)
def test_a_refusal_is_one_whatever_its_message_is(message: object, kept: str) -> None:
    error = failed({"message": message}, 400)
    assert isinstance(error, Rejected)
    assert error.message == kept


def test_the_providers_words_are_capped_and_can_be_stored() -> None:
    error = failed({"error": {"code": "\x00" + "9" * 1000, "message": f"a\ud800 {TOKEN} " + "x" * 10_000}}, 400)
    assert error.code is not None
    assert len(error.code) == CODE_CHARS
    assert len(error.message) == MESSAGE_CHARS
    assert TOKEN not in error.message
    assert not {"\x00", "\ud800"} & {*error.code, *error.message}


def test_a_failed_tasks_words_are_without_the_token_and_can_be_stored() -> None:
    body = {"task_status": "FAIL", "error": {"code": "1", "message": f"api_token={TOKEN}\x00"}}
    assert TOKEN not in str(read(body, endpoint="async_result"))
    assert "\x00" not in str(read(body, endpoint="async_result"))
