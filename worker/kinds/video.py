"""Video generation: a POST that answers with a task id, then polls until the video is there.

Fields and limits per model: docs.z.ai/api-reference/video.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from provider.wire import Json, Request
from worker.folders import FILE, Files, path_of
from worker.images import all_located, sendable
from worker.kind import (
    Args,
    Checked,
    Intent,
    Kind,
    Model,
    NotBool,
    OnUnknown,
    Output,
    Outputs,
    Pending,
    Prompt,
    Remote,
    RemoteFailed,
    Result,
    Text,
    UnreadableAnswerError,
    folder_of,
    from_cell,
    read_args,
)
from worker.wording import shown

MAX_PROMPT = 512
#: A model that is not known here may take more than those that are.
MAX_IMAGES = 10


class VideoArgs(Args):
    prompt: Prompt | None = Field(default=None, min_length=1, max_length=MAX_PROMPT)
    image_url: str | list[str] | None = None
    size: Text | None = None
    duration: Annotated[int, NotBool] | None = None
    quality: Literal["speed", "quality"] | None = None
    fps: Annotated[int, NotBool] | None = None
    with_audio: bool | None = None
    style: Literal["general", "anime"] | None = None
    aspect_ratio: Literal["16:9", "9:16", "1:1"] | None = None
    movement_amplitude: Literal["auto", "small", "medium", "large"] | None = None

    @field_validator("image_url", mode="plain")
    @classmethod
    def images_are_images(cls, given: Any, info: ValidationInfo) -> str | list[str] | None:
        given, model = from_cell(given), str(info.data.get("model"))
        found = all_located(given, folder_of(info), most=MAX_IMAGES, max_bytes=max_bytes(model), taker=model)
        return found[0] if isinstance(given, str) else found or None

    @property
    def images(self) -> list[str]:
        return [self.image_url] if isinstance(self.image_url, str) else self.image_url or []

    @model_validator(mode="after")
    def fits_model(self) -> "VideoArgs":
        if self.prompt is None and not self.images:
            raise ValueError("prompt: is missing; a video needs a prompt, an image_url, or both")
        if (rules := RULES.get(self.model)) is not None:
            check_rules(self, rules)
        return self


@dataclass(frozen=True, slots=True)
class Rules:
    """What a model takes. `images`: how many at least and at most; `fields`: of those that not all models have.

    `image_mb`: the largest image, in units of 1024² bytes; `formats`: of images, by Pillow's names.
    `least_side`: the least width and height of an image, in pixels.
    """

    images: tuple[int, int]
    sizes: tuple[str, ...]
    durations: tuple[int, ...]
    fields: frozenset[str]
    fps: tuple[int, ...] = ()
    image_mb: int = 50
    formats: tuple[str, ...] = ("PNG", "JPEG", "WEBP")
    least_side: int = 0


COGVIDEO_SIZES = ("1280x720", "720x1280", "1024x1024", "1920x1080", "1080x1920", "2048x1080", "3840x2160")
WIDE, HD = ("1920x1080",), ("1280x720",)
MOVES = frozenset({"movement_amplitude", "with_audio"})
RULES: dict[str, Rules] = {
    "cogvideox-3": Rules(
        (0, 2),
        COGVIDEO_SIZES,
        (5, 10),
        frozenset({"quality", "with_audio", "fps"}),
        (30, 60),
        image_mb=5,
        formats=("PNG", "JPEG"),
    ),
    "viduq1-text": Rules((0, 0), WIDE, (5,), frozenset({"style", "aspect_ratio", "movement_amplitude"})),
    "viduq1-image": Rules((1, 1), WIDE, (5,), frozenset({"movement_amplitude"})),
    "viduq1-start-end": Rules((2, 2), WIDE, (5,), MOVES),
    "vidu2-image": Rules((1, 1), HD, (4,), MOVES),
    "vidu2-start-end": Rules((2, 2), (*HD, "480x360"), (4,), MOVES),
    "vidu2-reference": Rules((1, 3), HD, (4,), MOVES | {"aspect_ratio"}, least_side=128),
}
SPECIAL = ("quality", "fps", "with_audio", "style", "aspect_ratio", "movement_amplitude")


def check_rules(args: VideoArgs, rules: Rules) -> None:
    """Raise ValueError, naming field, value and remedy."""
    for name in SPECIAL:
        if (given := getattr(args, name)) is not None and name not in rules.fields:
            held = f"(it holds {shown(given)})"
            raise ValueError(f"{name}: is no field of {args.model} {held}; leave it out, or choose another model")
    for name, offered in (("size", rules.sizes), ("duration", rules.durations), ("fps", rules.fps)):
        value = getattr(args, name)
        if value is not None and value not in offered:
            choices = ", ".join(str(each) for each in offered)
            raise ValueError(f"{name}: {shown(value)} is not offered by {args.model}; choose from {choices}")
    least, most = rules.images
    if not least <= len(args.images) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise ValueError(f"image_url: {args.model} takes {wanted} image{'s' * (wanted != '1')}, got {len(args.images)}")
    check_pictures(args, rules)
    if len(args.images) == 2 and args.model == "cogvideox-3" and args.quality == "quality":
        raise ValueError("quality: first and last frame work in 'speed' mode only; use 'speed' or leave it out")
    if args.prompt is None and args.model == "viduq1-text":
        raise ValueError("prompt: is missing; viduq1-text makes videos of text alone")


def max_bytes(model: str) -> int:
    """Of an image, for this model."""
    return (RULES[model].image_mb if model in RULES else 50) * 1024**2


#: How wide an image may be by its height, at least and at most; and a first frame's pixels by those of the last.
ASPECT, LIKE = (0.25, 4.0), (0.8, 1.25)


def check_pictures(args: VideoArgs, rules: Rules) -> None:
    """Look at the images that lie on this machine. Raises ValueError for what the API would refuse."""
    files = [path_of(each) for each in args.images if each.startswith(FILE)]
    if not files:
        return
    from PIL import Image  # noqa: PLC0415 - 50 ms, for few rows

    sizes = []
    for path in files:
        try:
            with Image.open(path) as picture:
                form, (width, height) = picture.format, picture.size
        except (OSError, Image.DecompressionBombError) as error:
            raise ValueError(f"image_url: {path.name} is no readable image: {error}") from None
        if form not in rules.formats:
            raise ValueError(f"image_url: {path.name} is {form}; {args.model} takes {', '.join(rules.formats)}")
        if not args.model.startswith("cogvideox") and not ASPECT[0] <= width / height <= ASPECT[1]:
            raise ValueError(f"image_url: {path.name} is {width}x{height}; {args.model} takes 1:4 to 4:1")
        if min(width, height) < rules.least_side:
            least = f"{rules.least_side}x{rules.least_side}"
            raise ValueError(f"image_url: {path.name} is {width}x{height}; {args.model} takes {least} at least")
        sizes.append(width * height)
    if args.model.endswith("start-end") and len(sizes) == 2 and not LIKE[0] <= sizes[0] / sizes[1] <= LIKE[1]:
        raise ValueError(f"image_url: the frames differ too much in size; {args.model} takes 0.8 to 1.25 of each other")


def check(row: dict[str, Any], folder: Files) -> Checked:
    args, warnings = read_args(VideoArgs, row, KIND, context={"folder": folder})
    return Checked([args.stored()], warnings)


def request(args: Json, intent: Intent) -> Request:
    """Images that are files go into it as data URLs, when it is sent."""
    images, most = args.get("image_url"), max_bytes(args["model"])
    if images is not None:
        sent = [sendable(each, max_bytes=most) for each in ([images] if isinstance(images, str) else images)]
        args = {**args, "image_url": sent[0] if isinstance(images, str) else sent}
    return Request(endpoint="video", json={**args, "request_id": intent.request_id}, read_timeout_s=60.0)


def poll(remote_id: str, _args: Json) -> Request:
    return Request(endpoint="async_result", path={"id": remote_id}, read_timeout_s=30.0)


def read(answer: Json, _args: Json) -> Result:
    """An answer to the submission (a task id) or to a poll (a status, in the end the videos)."""
    status = str(answer.get("task_status") or "").upper()
    if status in {"FAIL", "FAILED"}:
        return RemoteFailed.told_by(answer)
    videos = answer.get("video_result")
    if status in {"SUCCESS", "SUCCEEDED"} or (not status and videos):
        return finished(videos)
    remote_id = answer.get("id")
    if isinstance(remote_id, str | int) and not isinstance(remote_id, bool) and remote_id != "":
        return Remote(str(remote_id))  # opaque; some deployments send it as a number
    return Pending()


def finished(videos: Any) -> Outputs:
    """The videos and their covers. Without a URL yet the poller asks again: it has been seen to come later."""
    outputs = []
    for video in videos if isinstance(videos, list) else []:
        if not isinstance(video, dict) or not video.get("url"):
            continue
        outputs.append(Output(role="video", suffix=".mp4", mime="video/mp4", url=str(video["url"])))
        if cover := video.get("cover_image_url"):
            outputs.append(Output(role="cover", suffix=".png", mime="image/png", url=str(cover)))
    if not outputs:
        raise UnreadableAnswerError("the task succeeded, but its answer has no video URL")
    return Outputs(outputs)


#: Prices: docs.z.ai/guides/overview/pricing.md. Concurrency: the rate-limit page as quoted in public repositories.
MODELS = {
    "cogvideox-3": Model(Decimal("0.20"), concurrency=1),
    "cogvideox-2": Model(Decimal("0.20")),
    "cogvideox-flash": Model(Decimal(0)),
    "viduq1-text": Model(Decimal("0.40")),
    "viduq1-image": Model(Decimal("0.40")),
    "viduq1-start-end": Model(Decimal("0.40")),
    "vidu2-image": Model(Decimal("0.20")),
    "vidu2-start-end": Model(Decimal("0.20")),
    "vidu2-reference": Model(Decimal("0.40")),
}

KIND = Kind(
    name="video",
    default_model="cogvideox-3",
    models=MODELS,
    believed_s=90.0,  # nothing is published
    fields=sorted(VideoArgs.model_fields),
    check=check,
    request=request,
    read=read,
    makes=("video", "cover"),
    files=frozenset({"image_url"}),
    poll=poll,
    on_unknown=OnUnknown.HOLD,  # the dearest
)
