"""What happens to jobs, in the order it happens; and, for producers, `enqueue` and `enqueue_many`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.producer import KeyTakenError, UnknownKindError, enqueue, enqueue_many

__all__ = ["KeyTakenError", "UnknownKindError", "enqueue", "enqueue_many"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: a command that only reads settings need not import the kinds and their libraries.
    if name in __all__:
        return getattr(import_module("worker.producer"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
