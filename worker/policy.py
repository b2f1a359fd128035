"""What to do about a lost answer: by model, or else by kind, as set, or else as the kind says."""

from collections.abc import Callable, Mapping

from worker.kind import OnUnknown
from worker.kinds import KINDS

#: (kind, model) → policy.
Policy = Callable[[str, str], OnUnknown]


def policy_of(settings: Mapping[str, str]) -> Policy:
    """The policy by these settings: kind or model → `retry` or `hold`."""

    def policy(kind: str, model: str) -> OnUnknown:
        chosen = settings.get(model) or settings.get(kind)
        if chosen:
            return OnUnknown(chosen)
        # Whatever a kind is that this process does not know, it is not bought twice.
        return KINDS[kind].on_unknown if kind in KINDS else OnUnknown.HOLD

    return policy
