"""The stand-in as the seed's proxy, and what a client hears from it."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from provider.client import Client
from provider.formats import Forgetful, FormatMemory
from provider.wire import Answer, Request
from sandbox import process
from sandbox.process import SandboxProcess
from worker.settings import settings

Call = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def proxy() -> Iterator[SandboxProcess]:
    quick = [f"--latency-of={model}=0" for model in ("cogvideox-3", "vidu_template_agent")]
    made = process.start("--latency", "0", *quick)
    yield made
    made.stop()


@pytest.fixture
def api(proxy: SandboxProcess) -> SandboxProcess:
    proxy.reset()
    return proxy


def send(api: SandboxProcess, request: Request, memory: FormatMemory | None = None, *, provider: str = "zai") -> Answer:
    """One call through the proxy."""

    async def ask() -> Answer:
        client = Client(base_url=f"{api.url}/{provider}", token=api.token, formats=memory or Forgetful())
        try:
            return await client.send(request)
        finally:
            await client.close()

    return asyncio.run(ask())


@pytest.fixture
def run(api: SandboxProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """`mediajobs …` on the stand-in, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"API_BASE_URL": api.proxy_base_url, "API_TOKEN": api.token, "DATA_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"MEDIAJOBS_{name}", value)

    def mediajobs(*words: str) -> Result:
        settings.cache_clear()
        return CliRunner().invoke(cli, words, catch_exceptions=False)

    yield mediajobs
    settings.cache_clear()


@pytest.fixture
def call(run: Callable[..., Result]) -> Call:
    """`mediajobs call …`, its answer."""

    def answer(*words: str) -> dict[str, Any]:
        result = run("call", *words)
        assert result.exit_code == 0, result.stderr
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    return answer
