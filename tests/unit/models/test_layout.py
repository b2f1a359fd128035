"""The top-level names are ours: another package of the same name would be imported in their place."""

from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["models", "provider", "worker", "cli", "web", "sandbox"])
def test_the_package_lies_here_and_nobody_else_has_its_name(name: str) -> None:
    assert import_module(name).__file__ == str(ROOT / name / "__init__.py")
    assert set(packages_distributions().get(name, ["mediajobs"])) == {"mediajobs"}
