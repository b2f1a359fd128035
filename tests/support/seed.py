"""The seed document, `tests/seed/zai.md`, as it can be tested: its headings, its endpoints, its definition."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SEED = Path(__file__).parents[1] / "seed" / "zai.md"
COPY = SEED.with_name("openapi.json")
BASE = "https://api.lowcodeapi.com/zai"
ROW = re.compile(r"^\| *([^|]+?) *\| *([^|]+?) *\|")


@dataclass
class Section:
    """What stands under a heading, up to the next one."""

    title: str
    lines: list[str] = field(default_factory=list)

    @property
    def slug(self) -> str:
        """Such as `decision_flow_for_ai_agents`, as tests are named."""
        return re.sub(r"\W+", "_", self.title.lower()).strip("_")

    @property
    def table(self) -> dict[str, str]:
        """The first two columns of its table."""
        rows = [(found[1], found[2]) for line in self.lines if (found := ROW.match(line))]
        return dict(rows[2:])

    def after(self, mark: str) -> str:
        """What follows `**mark:**`, on that line or the next."""
        at = next((n for n, line in enumerate(self.lines) if line.startswith(f"**{mark}:**")), None)
        if at is None:
            return ""
        return self.lines[at].partition(":**")[2].strip() or self.lines[at + 1]


def sections() -> list[Section]:
    found: list[Section] = []
    fenced = False
    for line in SEED.read_text().splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("#") and not fenced:
            found.append(Section(line.lstrip("# ")))
        elif found:
            found[-1].lines.append(line)
    return found


@dataclass(frozen=True)
class Listed:
    """An endpoint that the seed describes. Paths are below the base; a parameter's place is `{name}`."""

    title: str
    method: str
    path: str
    new: str
    old: str
    fields: dict[str, str]
    parameters: dict[str, str]
    doc: str


def below(url: str) -> str:
    """A URL of the seed's without base and token."""
    return url.removeprefix(BASE).replace("&api_token=YOUR_API_TOKEN", "").replace("?api_token=YOUR_API_TOKEN", "")


def endpoints() -> list[Listed]:
    """Those that have a section of their own."""
    return [
        Listed(
            title=each.title,
            method=each.after("Method"),
            path=each.after("LowCodeAPI Path"),
            new=below(each.after("New Format URL")),
            old=below(each.after("Old Format URL")),
            fields={} if each.after("Path Parameters") else each.table,
            parameters=each.table if each.after("Path Parameters") else {},
            doc=each.after("Official Documentation"),
        )
        for each in sections()
        if each.after("LowCodeAPI Path")
    ]


def reference() -> dict[str, tuple[str, str]]:
    """The seed's Complete Endpoint Reference: title → (method, category)."""
    [listed] = [each for each in sections() if each.title == "Complete Endpoint Reference"]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in listed.lines if line.startswith("|")]
    return {title: (method, category) for title, method, category in rows[2:]}


def openapi() -> dict[str, Any]:
    """What the proxy's `/openapi` would say of these."""
    paths: dict[str, Any] = {}
    for each in endpoints():
        made: dict[str, Any] = {
            "tags": [reference()[each.title][1]],
            "summary": each.title,
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": kind}}
                for name, kind in each.parameters.items()
            ],
            "externalDocs": {"url": each.doc},
        }
        if each.fields:
            mime = "multipart/form-data" if "file" in each.fields else "application/json"
            properties = {name: {"type": kind} for name, kind in each.fields.items()}
            made["requestBody"] = {"content": {mime: {"schema": {"type": "object", "properties": properties}}}}
        paths.setdefault(each.path, {})[each.method.lower()] = made
    return {
        "openapi": "3.0.0",
        "info": {"title": "Z.AI", "version": "1.0.0"},
        "servers": [{"url": BASE}],
        "paths": paths,
    }


def copy() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(COPY.read_text())
    return found


if __name__ == "__main__":
    COPY.write_text(json.dumps(openapi(), indent=2) + "\n")
