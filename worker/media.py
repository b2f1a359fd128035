"""What a file is, by its first bytes; and whether a download is what it should be. Pure."""

from datetime import datetime
from urllib.parse import parse_qs, urlsplit

#: (offset, bytes, mime)
MAGIC = [
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
]
SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "audio/wav": ".wav",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/flac": ".flac",
}
#: How signed URLs say when they die: a time in Unix seconds (as the provider's stores do), or a span from a date.
EXPIRES = ("Expires", "x-oss-expires")
A_YEAR_S = 365 * 86400
EXPECTED = {"image": "image/", "cover": "image/", "video": "video/"}


class BadDownloadError(Exception):
    """What came is not what was asked for."""


def sniff(head: bytes) -> str | None:
    """The mime type by magic bytes; None if they are of no known kind."""
    return next((mime for offset, magic, mime in MAGIC if head[offset:].startswith(magic)), None)


def suffix_for(mime: str) -> str | None:
    return SUFFIXES.get(mime)


def check_download(role: str, *, head: bytes, content_type: str | None) -> str:
    """The mime type of what came. Raises BadDownloadError for an error page, nothing, or the wrong kind."""
    if not head:
        raise BadDownloadError("the result's URL gave an empty file")
    mime = sniff(head)
    start = head.lstrip()[:1]
    if mime is None and start in (b"<", b"{"):
        raise BadDownloadError(f"the result's URL gave a page ({content_type or 'no content type'}), not a file")
    wanted = EXPECTED.get(role)
    if wanted and (mime is None or not mime.startswith(wanted)):
        raise BadDownloadError(f"the result is no {wanted.rstrip('/')}: it begins with {head[:8]!r}")
    return mime or content_type or "application/octet-stream"


def url_life_s(url: str, now: datetime, *, default_s: float) -> float:
    """Seconds until a result's URL dies: by its signature, if it has one that says so, else `default_s`."""
    try:
        query = parse_qs(urlsplit(url).query)
        stamp = next((float(query[name][0]) for name in EXPIRES if name in query), None)
    except ValueError:
        return default_s
    if stamp is None:
        return default_s
    return max(stamp - now.timestamp(), 1.0) if stamp > A_YEAR_S else default_s
