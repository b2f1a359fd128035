"""The manifests that people copy are good as they are, and the demo runs each."""

import re
from pathlib import Path

import pytest

from worker.kinds import KINDS
from worker.manifest import Good, Problem, format_of, read

ROOT = Path(__file__).parents[2]
#: The kind is – where each row has its own.
LISTED = re.findall(
    r"^\| `(examples/\S+)` \| (\w+|–) \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
)


def test_each_kind_has_one_and_each_is_told_of() -> None:
    assert {kind for _, kind in LISTED} == {*KINDS, "–"}
    there = [*ROOT.glob("examples/**/*.csv"), *ROOT.glob("examples/**/*.jsonl")]
    assert {str(path.relative_to(ROOT)) for path in there} == {name for name, _ in LISTED}


@pytest.mark.parametrize(("name", "kind"), LISTED)
def test_every_row_is_good_and_has_a_key_and_nothing_is_odd_about_it(name: str, kind: str) -> None:
    path = ROOT / name
    form = format_of(name)
    assert form is not None
    with path.open("rb") as file:
        found = list(read(file, form, KINDS.get(kind), path.parent))
    assert [str(each) for each in found if isinstance(each, Problem)] == []
    good = [each for each in found if isinstance(each, Good)]
    assert [warning for each in good for warning in each.warnings] == []
    assert all(row.key for each in good for row in each.rows)


@pytest.mark.parametrize(("name", "kind"), LISTED)
def test_the_demo_runs_it(name: str, kind: str) -> None:
    demo = (ROOT / "scripts" / "demo").read_text(encoding="utf-8")
    assert f"{name} --kind {kind} " in demo or f"{Path(name).stem}:{kind.strip('–')}" in demo
