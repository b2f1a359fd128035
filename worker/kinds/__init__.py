"""The kinds, by name: each file here is one. A file without a good `KIND` fails at start."""

import pkgutil
from importlib import import_module

from worker.kind import KINDS_OF, Kind

__all__ = ["KINDS", "KINDS_OF", "load_kinds"]


def load_kinds() -> dict[str, Kind]:
    """Import every file of this folder. Raises TypeError where `KIND` is absent or of another name,

    where its default model is not among its models, or where two kinds have a model at two prices.
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
        for model, known in kind.models.items():
            for other in KINDS_OF.setdefault(model, []):
                if other.models[model].price != known.price:
                    raise TypeError(
                        f"worker/kinds/{module.name}.py: the model {model!r} has another price in {other.name}"
                    )
            KINDS_OF[model].append(kind)
        kinds[kind.name] = kind
    return kinds


KINDS = load_kinds()
