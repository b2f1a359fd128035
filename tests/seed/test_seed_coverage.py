"""docs/seed-coverage.md leaves nothing of the seed out, and is up to date."""

import pytest

from tests.support import seed, seed_coverage


def test_it_is_up_to_date() -> None:
    assert seed_coverage.DOCS.read_text() == seed_coverage.coverage()  # made anew by scripts/seed-coverage


@pytest.mark.parametrize("title", [each.title for each in seed.sections()])
def test_every_heading_has_a_test(title: str) -> None:
    assert seed_coverage.named_after(title)


@pytest.mark.parametrize("title", seed.reference())
def test_every_endpoint_has_a_test(title: str) -> None:
    assert seed_coverage.named_after(title)
