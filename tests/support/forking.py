"""`mediajobs` with services that are forked rather than started anew: `python -m tests.support.forking up ...`.

For tests of what a running `up` does. How it starts its services is left as it is: they are asked of
`subprocess.Popen`, are children of its own and end with it. But what would be `python -m MODULE` is forked from a
process that was itself forked before `up` had read a setting or opened anything.
"""

import ctypes
import os
import pickle
import runpy
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sandbox.child import die_with_parent
from tests.support.zygote import become

MEDIAJOBS = str(Path(sys.executable).with_name("mediajobs"))
PR_SET_CHILD_SUBREAPER = 36
#: Command and environment.
LARGEST_BYTES = 128 * 1024
PYTHON = [sys.executable, "-m"]


class Nursery:
    """A child that forks others, each of which becomes a child of the process that made the nursery."""

    def __init__(self) -> None:
        # What a grandchild's parent leaves behind when it ends comes to us.
        assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
        self._asking, answering = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        tie = die_with_parent()
        if os.fork() == 0:
            self._asking.close()
            tie()
            serve(answering, tie)
        answering.close()

    def fork(self, command: Sequence[str], environment: Mapping[str, str], files: Sequence[int]) -> int:
        """`command` is what follows `python -m`; `files` are its input, output and errors. Returns its pid."""
        socket.send_fds(self._asking, [pickle.dumps(([*command], {**environment}))], files)
        return int(self._asking.recv(32))


def serve(answering: socket.socket, tie: Callable[[], None]) -> NoReturn:
    """Ends in who forks with its parent, and in who is forked when its work is done."""
    while True:
        asked, files, _, _ = socket.recv_fds(answering, LARGEST_BYTES, 3)
        if not asked:
            os._exit(0)
        if (child := os.fork()) == 0:
            between = os.getpid()
            if os.fork():
                os._exit(0)
            while os.getppid() == between:
                time.sleep(0.0005)
            command, environment = pickle.loads(asked)
            begin(answering, tie, command, environment, files)
        os.waitpid(child, 0)
        for number in files:
            os.close(number)


def begin(
    answering: socket.socket,
    tie: Callable[[], None],
    command: list[str],
    environment: dict[str, str],
    files: list[int],
) -> NoReturn:
    tie()
    os.setsid()
    # For who looks for it in /proc, where its command line is that of who forks.
    Path("/proc/self/comm").write_text(" ".join(command)[-15:])
    answering.send(str(os.getpid()).encode())
    answering.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    become(command, environment)
    sys.exit()


class Forking(subprocess.Popen):  # type: ignore[type-arg]
    """Asks the nursery where Python is to be started."""

    nursery: Nursery

    def _execute_child(self, args: Any, *rest: Any) -> None:
        if [*args[:2]] != PYTHON:
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        environment, pipes = rest[5], rest[9:15]
        files = [own if own != -1 else number for number, own in enumerate((pipes[0], pipes[3], pipes[5]))]
        self.pid = self.nursery.fork(args[2:], os.environ if environment is None else environment, files)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


if __name__ == "__main__":
    Forking.nursery = Nursery()
    subprocess.Popen = Forking  # type: ignore[misc]
    sys.argv[0] = MEDIAJOBS
    runpy.run_path(MEDIAJOBS, run_name="__main__")
