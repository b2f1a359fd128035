"""docs/faults.md keeps to what there is: every fault is in it, every test that it names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "faults.md").read_text()
#: The faults are numbered; `–` is one without a number.
NUMBERS = range(1, 41)
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCS.splitlines()
        if re.match(r"\| (\d+|–) ", line)]  # fmt: skip
NAMED = sorted(set(re.findall(r"`([a-z_/0-9]+\.py)::(\w+)`", DOCS)))


def test_every_fault_has_a_row() -> None:
    assert {int(row[0]) for row in ROWS if row[0] != "–"} == set(NUMBERS)


def test_every_row_names_a_test_or_says_why_there_is_none() -> None:
    covered, _, rest = DOCS.partition("## Not covered")
    for line in covered.splitlines():
        if re.match(r"\| (\d+|–) ", line):
            assert "::" in line, line
    assert "::" not in rest


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_test_that_is_named_is_there(file: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)


def test_no_time_of_a_client_gets_into_the_record() -> None:
    for path in (ROOT / "models").glob("*.py"):
        assert not re.search(r"datetime\.(now|utcnow)|time\.time\(|\btime\(\)", path.read_text()), path
