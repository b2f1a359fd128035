"""Where outputs are kept: a folder or an S3 bucket, by obstore."""

from worker.storage.sources import download_source, read_source
from worker.storage.storage import Storage, Stored, TooLargeError

__all__ = ["Storage", "Stored", "TooLargeError", "download_source", "read_source"]
