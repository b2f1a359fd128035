"""Services are stopped in order, or at once for who insists."""

import sys
import threading
from pathlib import Path

from cli.supervisor import Child, Supervisor
from tests.support.stack import wait_until

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


class Stuck:
    """A service of ours that does not stop."""

    def start(self) -> None: ...

    def alive(self) -> bool:
        return True

    def stop(self) -> None:
        raise TimeoutError("it hangs")


def test_who_insists_need_not_wait_for_what_is_being_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    supervisor = Supervisor(lambda _: None)
    for name in ("behind it", "waited for"):
        supervisor.start(name, Child([sys.executable, "-c", DEAF], {}, log, ends_in_s=600))
    wait_until(lambda: log.read_text() == "up\nup\n", what="the children")
    stopping = threading.Thread(target=supervisor.stop)
    stopping.start()

    def over() -> bool:
        supervisor.kill()  # a person presses Ctrl-C again
        return not stopping.is_alive()

    wait_until(over, what="the end")


def test_one_that_does_not_stop_keeps_the_others_from_nothing() -> None:
    said: list[str] = []
    stopped: list[bool] = []

    class Other(Stuck):
        def stop(self) -> None:
            stopped.append(True)

    supervisor = Supervisor(said.append)
    supervisor.start("other", Other())
    supervisor.start("stuck", Stuck())
    supervisor.stop()
    assert stopped == [True]
    assert said == ["stuck did not stop in order: it hangs"]
