"""The kinds, by name: each file here is one. A file without a good `KIND` fails at start."""

import pkgutil
from importlib import import_module

from worker.kind import Kind


def load_kinds() -> dict[str, Kind]:
    """Import every file of this folder. Raises TypeError where `KIND` is absent or of another name."""
    kinds = {}
    for module in pkgutil.iter_modules(__path__):
        kind = getattr(import_module(f"{__name__}.{module.name}"), "KIND", None)
        if not isinstance(kind, Kind) or kind.name != module.name:
            raise TypeError(f"worker/kinds/{module.name}.py must define KIND = Kind(name={module.name!r}, …)")
        kinds[kind.name] = kind
    return kinds


KINDS = load_kinds()
