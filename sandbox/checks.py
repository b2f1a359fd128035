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
NAMED_IMAGE_SIZES = {"1728x960", "960x1728"}
#: How a video model's name starts → what it offers.
VIDEO_OFFERS: dict[str, dict[str, tuple[Any, ...]]] = {
    "cogvideox-3": {
        "size": ("1280x720", "720x1280", "1024x1024", "1920x1080", "1080x1920", "2048x1080", "3840x2160"),
        "duration": (5, 10),
        "fps": (30, 60),
        "quality": ("speed", "quality"),
    },
    "viduq1": {"size": ("1920x1080",), "duration": (5,)},
    "vidu2": {"size": ("1280x720", "480x360"), "duration": (4,)},
}
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
    return image_size(body.get("size"), str(body["model"]))


image_async = image


def image_size(value: Any, model: str) -> Refusal:
    if value is None or value in NAMED_IMAGE_SIZES:
        return None
    low, step, most_pixels = (1024, 32, 2**22) if model == "glm-image" else (512, 16, 2**21)
    sides = [int(side) for side in str(value).split("x") if side.isdecimal()]
    fits = all(low <= side <= 2048 and side % step == 0 for side in sides)
    if len(sides) != 2 or not fits or sides[0] * sides[1] > most_pixels:
        return "1214", f"size {value} is not supported"
    return None


def video(body: dict[str, Any]) -> Refusal:
    if refusal := common(body, VIDEO_MODELS):
        return refusal
    model = str(body["model"])
    if not body.get("prompt") and not body.get("image_url"):
        return "1213", "prompt and image_url must not both be empty"
    if len(body.get("prompt") or "") > 512:
        return "1261", "The prompt is too long: 512 characters at most"
    family = next((offered for start, offered in VIDEO_OFFERS.items() if model.startswith(start)), {})
    for name, offered in family.items():
        if body.get(name) is not None and body[name] not in offered:
            return "1214", f"{name} {body[name]} is not supported"
    return None


def transcription(body: dict[str, Any]) -> Refusal:
    if refusal := common(body, ASR_MODELS):
        return refusal
    if len(str(body.get("prompt") or "")) >= 8000:
        return "1214", "prompt must have fewer than 8000 characters"
    return None


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
