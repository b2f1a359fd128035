"""An independent client, zai-sdk 0.2.3, talks to the sandbox as it would to Z.AI."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import zai.core
from zai import ZaiClient

from sandbox import process
from sandbox.process import SandboxProcess
from sandbox.tones import speak, wav


@pytest.fixture(scope="module")
def quick() -> Iterator[SandboxProcess]:
    made = process.start("--speed", "200")
    yield made
    made.stop()


@pytest.fixture
def client(quick: SandboxProcess) -> Iterator[ZaiClient]:
    with ZaiClient(api_key=quick.token, base_url=f"{quick.direct_base_url}/paas/v4", max_retries=0, timeout=30) as made:
        yield made


def poll(ask: Any, task_id: str | None) -> Any:
    """Ask until the task ends, as a client does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = ask(id=task_id)
        if answer.task_status != "PROCESSING":
            return answer
        time.sleep(0.1)
    raise TimeoutError(task_id)


def test_an_image(client: ZaiClient) -> None:
    answer: Any = client.images.generations(
        model="cogview-4-250304", prompt="a cat", size="1024x1024", user_id="user-0001"
    )
    assert answer.created
    assert answer.data[0].url.startswith("http")


def test_an_image_by_task(client: ZaiClient) -> None:
    task = client.images.async_generations(model="glm-image", prompt="a cat", size="1280x1280")
    assert task.task_status == "PROCESSING"
    answer = poll(client.images.retrieve_images_result, task.id)
    assert answer.task_status == "SUCCESS"
    assert answer.image_result[0].url


def test_a_video(client: ZaiClient) -> None:
    request_id = uuid.uuid4().hex
    task = client.videos.generations(
        model="cogvideox-3", prompt="a cat", size="1280x720", duration=5, fps=30, request_id=request_id
    )
    assert (task.request_id, task.task_status) == (request_id, "PROCESSING")
    answer = poll(client.videos.retrieve_videos_result, task.id)
    assert answer.task_status == "SUCCESS"
    assert answer.video_result[0].url
    assert answer.video_result[0].cover_image_url


def test_a_transcription(client: ZaiClient) -> None:
    audio = wav(speak(["amber", "ocean", "ocean", "piano"]))
    answer: Any = client.audio.transcriptions.create(
        file=("a.wav", audio, "audio/wav"), model="glm-asr-2512", prompt="ctx", request_id="req-000001"
    )
    assert answer.text == "amber ocean ocean piano"
    assert answer.request_id == "req-000001"


def test_a_streamed_transcription(client: ZaiClient) -> None:
    audio = wav(speak(["amber", "ocean"]))
    events: Any = client.audio.transcriptions.create(
        file=("a.wav", audio, "audio/wav"), model="glm-asr-2512", stream=True
    )
    said = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert "".join(said) == "amber ocean"


QUESTION: Any = [{"role": "user", "content": "Is the weather in Tianjin good?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.mark.parametrize("path", ["/paas/v4", "/coding/paas/v4"])
def test_a_chat_and_a_code_completion(quick: SandboxProcess, path: str) -> None:
    with ZaiClient(api_key=quick.token, base_url=f"{quick.direct_base_url}{path}", max_retries=0) as client:
        answer: Any = client.chat.completions.create(model="glm-4.6", messages=QUESTION, request_id="req-000001")
    assert answer.choices[0].message.content == "You asked: Is the weather in Tianjin good?"
    assert answer.choices[0].message.reasoning_content
    assert answer.request_id == "req-000001"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_chat_that_calls_a_function(client: ZaiClient) -> None:
    answer: Any = client.chat.completions.create(model="glm-4.6", messages=QUESTION, tools=[WEATHER])
    [call] = answer.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == (
        "get_weather",
        '{"city": "Is the weather in Tianjin good?"}',
    )
    assert answer.choices[0].finish_reason == "tool_calls"


def test_a_streamed_chat(client: ZaiClient) -> None:
    chunks: list[Any] = list(client.chat.completions.create(model="glm-4.6", messages=QUESTION, stream=True))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert said == "You asked: Is the weather in Tianjin good?"
    assert "".join(chunk.choices[0].delta.reasoning_content or "" for chunk in chunks)
    assert (chunks[-1].choices[0].finish_reason, chunks[-1].usage.total_tokens > 0) == ("stop", True)


@pytest.fixture
def agents(quick: SandboxProcess) -> Iterator[ZaiClient]:
    """The SDK puts /v1/agents behind its base URL."""
    with ZaiClient(api_key=quick.token, base_url=f"{quick.direct_base_url}/", max_retries=0, timeout=30) as made:
        yield made


def test_agents(agents: ZaiClient) -> None:
    translation: Any = agents.agents.invoke(
        agent_id="general_translation", messages=QUESTION, custom_variables={"target_lang": "fr"}
    )
    assert translation.choices[0].messages[0]["content"]["text"].startswith("[fr] ")
    chunks: list[Any] = list(agents.agents.invoke(agent_id="general_translation", messages=QUESTION, stream=True))
    assert chunks[-1].usage.total_tokens > 0
    picture = {"type": "image_url", "image_url": "https://example.com/a.png"}
    begun: Any = agents.agents.invoke(
        agent_id="vidu_template_agent",
        messages=[{"role": "user", "content": [picture]}],
        custom_variables={"template": "french_kiss"},
    )
    assert begun.status == "pending"

    deadline = time.monotonic() + 60
    told: Any = begun
    while told.status == "pending" and time.monotonic() < deadline:
        told = agents.agents.async_result(agent_id="vidu_template_agent", async_id=begun.async_id)
        time.sleep(0.1)
    assert told.status == "success"
    assert told.choices[0].message[0].content[0]["video_url"]


def test_tools(client: ZaiClient) -> None:
    found: Any = client.web_search.web_search(search_engine="search-prime", search_query="fog", count=2)
    assert [each.title for each in found.search_result] == ["fog (1)", "fog (2)"]
    page = client.web_reader.web_reader(url="https://example.com/fog")
    assert page.reader_result
    assert page.reader_result.title == "fog"
    file = client.files.create(file=("terms.txt", b"fog,Nebel"), purpose="agent")  # type: ignore[arg-type]
    assert (file.object, file.bytes) == ("file", 9)


def test_an_error_carries_its_code(client: ZaiClient) -> None:
    with pytest.raises(zai.core.APIRequestFailedError) as caught:
        client.videos.generations(model="nope", prompt="x")
    assert caught.value.response.json()["error"]["code"] == "1211"
