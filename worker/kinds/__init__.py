"""The kinds, by name: each file here is one. A file without a good `KIND` fails at start."""

import pkgutil
from importlib import import_module

from worker.kind import KIND_OF, Kind

__all__ = ["KINDS", "KIND_OF", "load_kinds"]


def load_kinds() -> dict[str, Kind]:
    """Import every file of this folder. Raises TypeError where `KIND` is absent or of another name,

    where its default model is not among its models, or where a model is another kind's already.
    """
    kinds = {}
    for module in pkgutil.iter_modules(__path__):
        kind = getattr(import_module(f"{__name__}.{module.name}"), "KIND", None)
        if not isinstance(kind, Kind) or kind.name != module.name:
            raise TypeError(f"worker/kinds/{module.name}.py must define KIND = Kind(name={module.name!r}, …)")
        if kind.default_model not in kind.models:
            raise TypeError(
                f"worker/kinds/{module.name}.py: the default model {kind.default_model!r} is not in `models`"
            )
        for model in kind.models:
            if KIND_OF.setdefault(model, kind) is not kind:
                raise TypeError(f"worker/kinds/{module.name}.py: the model {model!r} is of {KIND_OF[model].name}")
        kinds[kind.name] = kind
    return kinds


KINDS = load_kinds()
