"""The stand-in as a child process, for `mediajobs up` and for tests."""

import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

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

    @cached_property
    def http(self) -> httpx.Client:
        """For tests: kept, as making one takes longer than a call."""
        return httpx.Client()

    @property
    def pid(self) -> int:
        return self.process.pid

    def ledger(self) -> list[dict[str, object]]:
        entries: list[dict[str, object]] = self.http.get(f"{self.url}/_ledger").raise_for_status().json()
        return entries

    def summary(self, *, since: float = 0.0) -> dict[str, Any]:
        """The ledger added up, from a time on."""
        found: dict[str, Any] = self.http.get(f"{self.url}/_ledger?summary&since={since}").raise_for_status().json()
        return found

    def change(self, what: str, **given: object) -> dict[str, Any]:
        """Change its `account`, `limits`, `config` or `clock`; returns all of it."""
        known: dict[str, Any] = self.http.post(f"{self.url}/_{what}", json=given).raise_for_status().json()
        return known

    def play(self, *rules: dict[str, object]) -> None:
        """Switch faults on."""
        self.http.post(f"{self.url}/_faults", json=list(rules)).raise_for_status()

    def clear_faults(self) -> None:
        self.http.delete(f"{self.url}/_faults").raise_for_status()

    def reset(self) -> None:
        self.http.post(f"{self.url}/_reset").raise_for_status()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.stop()

    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        if self.alive():
            self.process.terminate()
        self.process.wait(timeout=20)
        if "http" in vars(self):
            self.http.close()
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
