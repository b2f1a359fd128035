"""Where outputs are kept, and where sources are and outputs are put: folders and S3 buckets."""

from pathlib import Path

from worker.storage.bucket import Bucket
from worker.storage.files import FileError, Found, Place, PlaceError, Trouble, hashed
from worker.storage.folder import Folder
from worker.storage.sources import SourceAwayError, download_source, read_source, reading
from worker.storage.storage import Storage, Stored, TooLargeError

__all__ = [
    "FileError",
    "Found",
    "Place",
    "PlaceError",
    "SourceAwayError",
    "Storage",
    "Stored",
    "TooLargeError",
    "Trouble",
    "download_source",
    "hashed",
    "open_place",
    "read_source",
    "reading",
]


def open_place(url: str) -> Place:
    """A folder by its absolute path, or s3://bucket/prefix."""
    return Bucket(url) if url.startswith("s3://") else Folder(Path(url))
