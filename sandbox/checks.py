"""What the API refuses, by docs.z.ai's pages: (code, message), or None."""

import io
from typing import Any

import av
import numpy as np

from sandbox.tones import hear

IMAGE_MODELS = {"glm-image", "cogview-4-250304", "cogview-4", "cogview-3-flash"}
VIDEO_MODELS = {"cogvideox-3", "viduq1-text", "viduq1-image", "viduq1-start-end", "vidu2-image", "vidu2-start-end",
                "vidu2-reference"}  # fmt: skip
ASR_MODELS = {"glm-asr-2512"}
MAX_AUDIO_S = 30.0
#: mp3 pads what it codes.
SLACK_S = 0.1

Refusal = tuple[str, str] | None


def common(body: dict[str, Any], models: set[str]) -> Refusal:
    model = body.get("model")
    if not model:
        return "1213", "The parameter model is missing"
    if model not in models and not str(model).startswith("test-"):
        return "1211", f"Model {model} does not exist"
    user_id = body.get("user_id")
    if user_id is not None and not 6 <= len(str(user_id)) <= 128:
        return "1214", "user_id must have 6 to 128 characters"
    return None


def image(body: dict[str, Any]) -> Refusal:
    if refusal := common(body, IMAGE_MODELS):
        return refusal
    if not body.get("prompt"):
        return "1213", "The parameter prompt is missing"
    return size(body.get("size"), low=1024 if body["model"] == "glm-image" else 512)


image_async = image


def size(value: Any, *, low: int) -> Refusal:
    if value is None:
        return None
    width, _, height = str(value).partition("x")
    if not (width.isdigit() and height.isdigit()) or not all(low <= int(side) <= 2048 or value in {
        "1728x960", "960x1728"} for side in (width, height)):  # fmt: skip
        return "1214", f"size {value} is not supported"
    return None


def video(body: dict[str, Any]) -> Refusal:
    if refusal := common(body, VIDEO_MODELS):
        return refusal
    if not body.get("prompt") and not body.get("image_url"):
        return "1213", "prompt and image_url must not both be empty"
    if len(body.get("prompt") or "") > 512:
        return "1261", "The prompt is too long: 512 characters at most"
    durations = {4} if str(body["model"]).startswith("vidu2") else {5, 10} if body["model"] == "cogvideox-3" else {5}
    if body.get("duration") is not None and body["duration"] not in durations and body["model"] in VIDEO_MODELS:
        return "1214", f"duration {body['duration']} is not supported"
    return None


def transcription(body: dict[str, Any]) -> Refusal:
    return common(body, ASR_MODELS)


def listen(data: bytes) -> tuple[str, Refusal]:
    """What is heard in wav or mp3 of at most 30 seconds."""
    try:
        with av.open(io.BytesIO(data), "r") as container:
            if container.format.name not in {"wav", "mp3"} or not container.streams.audio:
                return "", ("1214", "The audio must be wav or mp3")
            rate = container.streams.audio[0].rate
            resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
            parts = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    except (av.FFmpegError, OSError):
        return "", ("1214", "The audio cannot be decoded")
    samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    seconds = len(samples) / rate
    if not 0 < seconds <= MAX_AUDIO_S + SLACK_S:
        return "", ("1214", f"The audio is {seconds:.1f} s long; 30 s at most")
    words = hear(samples, rate)
    if words:
        return " ".join(words), None
    loudness = float(np.sqrt((samples**2).mean()))
    if loudness < 1e-4:
        return "", None
    return f"Speech of {seconds:.1f} seconds at loudness {loudness:.3f}.", None
