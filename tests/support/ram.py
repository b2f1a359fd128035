"""Where the tests' databases and stacks lie: in memory, if there is room."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SHARED_MEMORY = "/dev/shm"
#: What two clusters with their logs, and what is stored beside them, may need at most. A container often has 64 MB.
ROOM_BYTES = 4 * 1024**3


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a path short enough for sockets. A database in it takes 20 ms of CPU to make; on a disk, to 450."""
    where = None
    with suppress(OSError):  # not on every system
        if shutil.disk_usage(SHARED_MEMORY).free > ROOM_BYTES:
            where = SHARED_MEMORY
    with tempfile.TemporaryDirectory(prefix="mj-", dir=where) as name:
        yield Path(name)
