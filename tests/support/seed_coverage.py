"""docs/seed-coverage.md, made from the seed, the table of endpoints and the tests' names."""

import ast
import re
from pathlib import Path

from provider.address import Address
from provider.endpoints import ENDPOINTS, Endpoint
from provider.formats import NEW, OLD
from tests.support import seed
from worker.kinds import KINDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "seed-coverage.md"
#: Endpoints that the seed names elsewhere than in its reference → the heading whose tests are theirs.
ELSEWHERE = {"models": "Example 3: List Available Models", "openapi": "API Definition Endpoints",
             "definition": "API Definition Endpoints"}  # fmt: skip
HEAD = """# What of the seed is where

Made by `scripts/seed-coverage` from `tests/seed/zai.md`, `provider/endpoints.py` and the names of the tests; a test
sees to it that it is up to date. Tests lie in `tests/seed/`, each named after what it is for.

## Endpoints

URLs are below `https://api.lowcodeapi.com/zai`, with `?api_token=…`; directly, below `https://api.z.ai/api`. A dash:
the same URL in both formats, or none. Believed: the seed names the endpoint, but no path.

| endpoint | method | kind or call | new URL | old URL | directly | test |
|---|---|---|---|---|---|---|
"""
RULES = """
## Rules

Every heading of the seed, in its order.

| heading | test |
|---|---|
"""


def tests() -> list[str]:
    """The names of all tests in tests/seed, in their order."""
    found: list[str] = []
    for path in sorted((ROOT / "tests" / "seed").glob("test_*.py")):
        module = ast.parse(path.read_text())
        found += [each.name for each in module.body if isinstance(each, ast.FunctionDef) and each.name[:5] == "test_"]
    return found


def named_after(title: str) -> list[str]:
    """A heading's tests: those whose names begin with it, and with no longer heading."""
    slugs = sorted((each.slug for each in [*seed.sections(), *map(seed.Section, seed.reference())]), key=len)
    wanted = f"test_{seed.Section(title).slug}"

    def owner(name: str) -> str:
        return next((slug for slug in reversed(slugs) if re.match(rf"test_{slug}(_|$)", name)), "")

    return [name for name in tests() if f"test_{owner(name)}" == wanted]


def row(name: str, endpoint: Endpoint) -> str:
    address = Address(seed.BASE, "T")
    path = {each: f"{{{each}}}" for each in endpoint.path_names}

    def url(form: str) -> str:
        found = address.url(name, endpoint, path, {}, form).replace("%7B", "{").replace("%7D", "}")
        below = found.removeprefix(seed.BASE).replace("?api_token=T&", "?").replace("?api_token=T", "")
        return f"`{below}`"

    ways = [f"kind `{name}`"] if name in KINDS else []
    new, old = url(NEW), url(OLD)
    believed = " believed" if "proxy's path" in endpoint.believed else ""
    return " | ".join(
        [
            f"| {endpoint.title}",
            endpoint.method,
            ", ".join([*ways, f"`call {name.replace('_', '-')}`"]),
            new + believed,
            (old + believed) if old != new else "–",
            f"`{endpoint.direct_path}`" if endpoint.direct_path else "–",
            listed(named_after(ELSEWHERE.get(name, endpoint.title))) + " |",
        ]
    )


def listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def coverage() -> str:
    of_seed = {name: each for name, each in ENDPOINTS.items() if each.title in seed.reference() or name in ELSEWHERE}
    endpoints = "\n".join(row(name, each) for name, each in of_seed.items())
    rules = "\n".join(f"| {each.title} | {listed(named_after(each.title))} |" for each in seed.sections())
    return f"{HEAD}{endpoints}\n{RULES}{rules}\n"


if __name__ == "__main__":
    DOCS.write_text(coverage())
