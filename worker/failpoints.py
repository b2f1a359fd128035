"""Places at which a test can let a process die: at each commit, and at each call to the outside.

MEDIAJOBS_FAILPOINT=NAME ends the process there at once, as kill -9 would; NAME@3 at the third pass.
stop:NAME stops it instead, until SIGCONT.
"""

import itertools
import os
import signal
import threading

#: "committing": all is written, not yet committed.
JOBS = (
    "dispatch.committed", "claim.committing", "claim.committed", "run.sending", "run.answered",
    "settle.committing", "settle.committed", "poll.claimed", "poll.answered", "fetch.committing", "fetch.committed",
    "store.fetching", "store.stored", "rescue.committed", "cut.kept",
)  # fmt: skip
SCHEDULES = (
    "schedules.committed", "intake.claimed", "intake.listed", "intake.noted", "intake.read", "intake.committing",
    "intake.committed", "publish.intended", "publish.put", "publish.recorded",
)  # fmt: skip
#: Every place there is.
NAMES = JOBS + SCHEDULES
EXIT_CODE = 137

_given = os.environ.get("MEDIAJOBS_FAILPOINT", "")
ARMED, _, _count = _given.removeprefix("stop:").partition("@")
_passes = itertools.count(1)


def failpoint(name: str) -> None:
    """Die or stop here, if so told."""
    if name == ARMED and next(_passes) == int(_count or 1):
        if _given.startswith("stop:"):
            # To this thread: sent to the process it might take effect only when this thread has gone on.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        else:
            os._exit(EXIT_CODE)
