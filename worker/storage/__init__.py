"""Where outputs are kept: a folder or an S3 bucket, by obstore."""

from worker.storage.sources import read_source
from worker.storage.storage import Storage, Stored, TooLargeError

__all__ = ["Storage", "Stored", "TooLargeError", "read_source"]
