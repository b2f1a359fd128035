"""Child processes that die with their parent, and a way for root to run what refuses to run as root."""

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000


def die_with_parent(death_signal: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """For `preexec_fn`: the kernel sends the child this signal when its parent ends, however it ends.

    Only Linux has this; elsewhere a parent that is killed leaves its children running.
    """
    parent = os.getpid()

    def prepare() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
            if os.getppid() != parent:  # it ended before the call
                os._exit(1)

    return prepare


def as_unprivileged(folder: Path) -> Callable[[], None]:
    """For `preexec_fn`: root becomes an ordinary user in its own eyes, as Postgres demands.

    In a user namespace the process is `nobody` and still owns root's files, so that no
    owner or permission of any folder need change. Where namespaces are refused (some
    containers) it becomes `nobody` outright, and `folder` is given to it.
    """
    if os.geteuid() != 0:
        return lambda: None
    nobody = pwd.getpwnam("nobody")

    def prepare() -> None:
        if ctypes.CDLL(None).unshare(CLONE_NEWUSER) == 0:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{nobody.pw_uid} 0 1")
            Path("/proc/self/gid_map").write_text(f"{nobody.pw_gid} 0 1")
            return
        for path in [folder, *folder.rglob("*")]:
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)

    return prepare
