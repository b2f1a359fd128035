"""Image generation: one blocking POST whose answer lists the images, or, where the API offers that, a task.

Limits: docs.z.ai/api-reference/image/generate-image; custom sizes: bigmodel's page.
"""

import base64
import binascii
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from provider.wire import Json, Request
from worker.folders import Files
from worker.kind import (
    Args,
    Checked,
    Intent,
    Kind,
    Model,
    NotBool,
    Output,
    Outputs,
    Pending,
    Prompt,
    Remote,
    RemoteFailed,
    Result,
    Text,
    UnreadableAnswerError,
    read_args,
)

#: The documentation names no limit; a longer prompt is a mistake in the file.
MAX_PROMPT = 4000
MAX_IMAGES = 100


class ImageArgs(Args):
    prompt: Prompt = Field(min_length=1, max_length=MAX_PROMPT)
    size: Text | None = None
    quality: Literal["hd", "standard"] | None = None
    #: The API makes one image a call: a row with n becomes n jobs. Not sent.
    n: Annotated[int, NotBool] = Field(default=1, ge=1, le=MAX_IMAGES)

    @field_validator("size")
    @classmethod
    def size_has_form(cls, size: str | None) -> str | None:
        if size is not None:
            parse_size(size)
        return size

    @model_validator(mode="after")
    def fits_model(self) -> "ImageArgs":
        if self.model not in KIND.models:
            return self
        if self.model == "glm-image":
            if self.quality == "standard":
                raise ValueError("quality: 'standard' is not offered by glm-image; use 'hd' or leave it out")
            check_size(self, low=1024, high=2048, step=32, most_pixels=2**22)
        else:
            check_size(self, low=512, high=2048, step=16, most_pixels=2**21)
        return self


def parse_size(size: str) -> tuple[int, int]:
    width, _, height = size.partition("x")
    if not (width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        raise ValueError("must be WIDTHxHEIGHT with a letter x, such as 1024x1024")
    return int(width), int(height)


def check_size(args: ImageArgs, *, low: int, high: int, step: int, most_pixels: int) -> None:
    if args.size is None:
        return
    width, height = parse_size(args.size)
    # The sizes that the documentation names are within the custom ones, but for their steps.
    named = {"1728x960", "960x1728", "1472x1088", "1088x1472", "1568x1056", "1056x1568"}
    if args.size in named and args.model == "glm-image":
        return
    sides_fit = all(low <= side <= high and side % step == 0 for side in (width, height))
    if not sides_fit or width * height > most_pixels:
        raise ValueError(
            f"size: {args.size} is not offered by {args.model}; each side is to be {low} to {high} and a "
            f"multiple of {step}, with at most {most_pixels} pixels in all"
        )


def check(row: dict[str, Any], _folder: Files) -> Checked:
    args, warnings = read_args(ImageArgs, row, KIND)
    stored = args.stored()
    images = stored.pop("n", 1)
    return Checked([stored] * images, warnings)


def request(args: Json, _intent: Intent) -> Request:
    """By a task where Z.AI itself offers one (docs.z.ai: for glm-image): a lost answer leaves no image without a name.

    The documentation has no request_id for images, nor does the seed have that route.
    """
    by_task = "image_async" if args["model"] == "glm-image" else None
    return Request(endpoint="image", direct_endpoint=by_task, json=args, read_timeout_s=300.0)


def poll(remote_id: str, _args: Json) -> Request:
    return Request(endpoint="async_result", path={"id": remote_id}, read_timeout_s=30.0)


def read(answer: Json, _args: Json) -> Result:
    """All images, by URL or as base64; or how far the task is that makes them."""
    status = str(answer.get("task_status") or "").upper()
    if status in {"FAIL", "FAILED"}:
        return RemoteFailed.told_by(answer)
    items = answer.get("data") or answer.get("image_result")
    if not items and status not in {"SUCCESS", "SUCCEEDED"}:
        if isinstance(task := answer.get("id"), str | int) and not isinstance(task, bool) and task != "" and status:
            return Remote(str(task))
        if status:
            return Pending()
    if not isinstance(items, list) or not items:
        raise UnreadableAnswerError("the answer has no images (`data` is empty or absent)")
    return Outputs([read_item(item) for item in items])


def read_item(item: Any) -> Output:
    if isinstance(item, dict):
        if isinstance(url := item.get("url"), str) and url:
            if url.startswith("data:"):
                return decoded(url.partition(",")[2])
            return Output(role="image", suffix=".png", mime="image/png", url=url)
        for name in ("b64_json", "b64", "base64", "image_base64"):
            if isinstance(text := item.get(name), str) and text:
                return decoded(text)
    raise UnreadableAnswerError("an image of the answer has neither a URL nor base64 data")


#: The URL-safe alphabet's two letters of its own, as the usual one has them.
STANDARD = str.maketrans("-_", "+/")


def decoded(text: str) -> Output:
    """Base64 of either alphabet, in one line or in many, with its padding or without."""
    plain = "".join(text.split()).translate(STANDARD).rstrip("=")
    try:
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise UnreadableAnswerError(f"an image of the answer is no valid base64: {error}") from None
    return Output(role="image", suffix=".png", mime="image/png", data=data)


#: Prices: docs.z.ai/guides/overview/pricing.md. No concurrency is published.
MODELS = {
    "glm-image": Model(Decimal("0.015"), believed_s=25.0),
    "cogview-4-250304": Model(Decimal("0.01")),
    "cogview-4": Model(Decimal("0.01")),
    "cogview-3-flash": Model(Decimal(0)),
}

KIND = Kind(
    name="image",
    default_model="cogview-4-250304",
    models=MODELS,
    believed_s=10.0,  # as documented
    fields=sorted(ImageArgs.model_fields),
    check=check,
    request=request,
    read=read,
    makes=("image",),
    poll=poll,
    result_life_s=30 * 86400.0,  # as documented
)
