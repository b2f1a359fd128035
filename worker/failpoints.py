"""Places at which a test can let a process die: at each commit, and at each call to the outside.

MEDIAJOBS_FAILPOINT=NAME ends the process there at once, as kill -9 would; NAME@3 at the third pass.
"""

import itertools
import os

#: Every place there is. "committing": all is written, not yet committed.
NAMES = (
    "dispatch.committed", "claim.committing", "claim.committed", "run.sending", "run.answered",
    "settle.committing", "settle.committed", "poll.claimed", "poll.answered", "fetch.committing", "fetch.committed",
    "store.fetching", "store.stored", "rescue.committed",
)  # fmt: skip
EXIT_CODE = 137

ARMED, _, _count = os.environ.get("MEDIAJOBS_FAILPOINT", "").partition("@")
_passes = itertools.count(1)


def failpoint(name: str) -> None:
    """Die here, if so told."""
    if name == ARMED and next(_passes) == int(_count or 1):
        os._exit(EXIT_CODE)
