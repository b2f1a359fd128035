"""Where uploads lie: among the outputs, so that each worker finds them."""

from worker.folders import Uploads
from worker.settings import Settings
from worker.storage import Storage

FOLDER = "uploads"


def uploads(config: Settings, storage: Storage) -> Uploads:
    """What rows from the network may name."""
    local = storage.local_path(FOLDER)
    return Uploads(str(local) if local else f"{config.outputs.rstrip('/')}/{FOLDER}")
