"""`up` says what it needs and does not reach, at once, and leaves nothing running."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.stack import MEDIAJOBS

OUT_OF_REACH = {
    "database": ("DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/x", "postgresql://127.0.0.1:1/x"),
    "broker": ("BROKER_URL", "redis://:secret@127.0.0.1:1/0", "redis://127.0.0.1:1/0"),
    "store": ("OUTPUTS_URL", "file:///proc/x", "file:///proc/x"),
}


@pytest.mark.parametrize(("name", "value", "place"), OUT_OF_REACH.values(), ids=OUT_OF_REACH)
def test_what_is_out_of_reach(name: str, value: str, place: str, folder: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAJOBS_")}
    done = subprocess.run(
        [MEDIAJOBS, "up", "--no-flower", "--data-dir", str(folder / "d")],
        env={**clean, f"MEDIAJOBS_{name}": value},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,  # it would hang: a child that is asked to stop has its whole grace
    )
    assert done.returncode == 3, done.stderr
    assert place in done.stderr
    assert f"is MEDIAJOBS_{name} right" in done.stderr
    assert "mediajobs up" not in done.stderr
    assert "secret" not in done.stderr
