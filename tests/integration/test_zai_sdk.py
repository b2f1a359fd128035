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


def test_an_error_carries_its_code(client: ZaiClient) -> None:
    with pytest.raises(zai.core.APIRequestFailedError) as caught:
        client.videos.generations(model="nope", prompt="x")
    assert caught.value.response.json()["error"]["code"] == "1211"
