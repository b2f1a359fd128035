"""The endpoints: where each lies, through the proxy in both URL formats and at Z.AI directly.

Sources: the seed document for the proxy's paths, docs.z.ai's API reference for the direct ones.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Paths are below the base URL. `{name}` in the new and direct path is a path parameter.

    `old_path`: the old format's, its parameters in the query; None where both formats are one URL.
    `idempotent`: asking again changes and costs nothing.
    """

    method: str
    direct_path: str
    new_path: str
    old_path: str | None = None
    idempotent: bool = False


ENDPOINTS: dict[str, Endpoint] = {
    "image": Endpoint(
        method="POST",
        new_path="/api/paas/v4/generate/image",
        direct_path="/paas/v4/images/generations",
    ),
    "video": Endpoint(
        method="POST",
        new_path="/api/paas/v4/videos/generations",
        direct_path="/paas/v4/videos/generations",
    ),
    "async_result": Endpoint(
        method="GET",
        new_path="/api/paas/v4/async-result/{id}",
        old_path="/api/paas/v4/async-result/id",
        direct_path="/paas/v4/async-result/{id}",
        idempotent=True,
    ),
    "transcription": Endpoint(
        method="POST",
        new_path="/api/paas/v4/audio/transcriptions",
        direct_path="/paas/v4/audio/transcriptions",
    ),
}
