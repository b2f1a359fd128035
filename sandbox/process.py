"""The stand-in as a child process, for `mediajobs up` and for tests."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from sandbox.child import die_with_parent


@dataclass
class SandboxProcess:
    """A running stand-in. `proxy_base_url` and `direct_base_url` are what a client is to be given."""

    url: str
    token: str
    process: "subprocess.Popen[bytes]"

    @property
    def proxy_base_url(self) -> str:
        return f"{self.url}/zai"

    @property
    def direct_base_url(self) -> str:
        return f"{self.url}/api"

    @property
    def pid(self) -> int:
        return self.process.pid

    def ledger(self) -> list[dict[str, object]]:
        entries: list[dict[str, object]] = httpx.get(f"{self.url}/_ledger").raise_for_status().json()
        return entries

    def play(self, *rules: dict[str, object]) -> None:
        """Switch faults on."""
        httpx.post(f"{self.url}/_faults", json=list(rules)).raise_for_status()

    def reset(self) -> None:
        httpx.post(f"{self.url}/_reset").raise_for_status()

    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        if self.alive():
            self.process.terminate()
            self.process.wait(timeout=20)
        if self.process.stdout:
            self.process.stdout.close()


def start(*flags: str, port: int = 0, token: str = "at_sandbox", log: Path | None = None) -> SandboxProcess:  # noqa: S107 - the stand-in's own
    """Start one with these flags and wait until it listens. Raises RuntimeError with what it said."""
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--token", token, *flags]
    errors = log.open("ab") if log else None
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - one system call
        start_new_session=True,
    )
    if errors:
        errors.close()
    assert process.stdout
    line = process.stdout.readline().decode()
    if "listening on" not in line:
        process.wait()
        raise RuntimeError(f"the sandbox did not start: exit code {process.returncode}; flags {' '.join(flags)}")
    return SandboxProcess(line.split()[-1], token, process)
