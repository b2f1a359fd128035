"""Images by a task, and videos that begin with images from files."""

import base64
import io

import pytest
from PIL import Image
from sqlalchemy import text

from tests.support.core import Core


def test_glm_image_is_made_by_a_task_where_z_ai_itself_is_spoken_to(core: Core) -> None:
    core.environment = {"MEDIAJOBS_API_BASE_URL": core.stand_in.direct_base_url}
    core.enqueue(
        "image",
        {"key": "task", "prompt": "a fox", "model": "glm-image"},
        {"key": "fails", "prompt": "a fox [[fault:fail_error]]", "model": "glm-image"},
        {"key": "lost", "prompt": "a fox [[fault:unknown_at_first]]", "model": "glm-image"},
        {"key": "call", "prompt": "a fox"},
    )
    assert core.work() == 0, core.log()
    assert core.states() == {"task": "succeeded", "fails": "failed", "lost": "succeeded", "call": "succeeded"}
    remote = {row.key: bool(row.remote_id) for row in core.rows("select key, remote_id from jobs")}
    assert remote == {"task": True, "fails": True, "lost": True, "call": False}
    assert {entry["endpoint"] for entry in core.stand_in.ledger()} == {"image", "image_async"}
    assert core.audit() == []


def test_through_the_proxy_it_is_a_call(core: Core) -> None:
    core.enqueue("image", {"prompt": "a fox", "model": "glm-image"})
    assert core.work() == 0, core.log()
    assert core.rows("select remote_id from jobs where state = 'succeeded'")[0].remote_id is None
    assert core.audit() == []


@pytest.fixture
def picture(core: Core) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (256, 200), "red").save(data, "PNG")
    (core.folder / "a b.png").write_bytes(data.getvalue())
    return data.getvalue()


def test_a_file_goes_into_the_call_and_not_into_the_table(core: Core, picture: bytes) -> None:
    core.enqueue("video", {"prompt": "it runs", "image_url": "a b.png"})
    core.enqueue("video", {"prompt": "gone", "image_url": "a b.png"}, batch="later")
    with core.engine.begin() as conn:  # as if the file had been moved meanwhile
        conn.execute(
            text("""
            update jobs set args = jsonb_set(args, '{image_url}', '"file:///nowhere/a.png"')
            where batch_id = (select id from batches where name = 'later')
        """)
        )
    assert core.work() == 0, core.log()
    first, second = core.rows("select state, error_code, error_message, args from jobs order by id")
    assert first.state == "succeeded"
    assert base64.b64encode(picture).decode() not in str(first.args)
    assert (second.state, second.error_code) == ("failed", "input_unreadable")
    assert "No such file" in second.error_message
    assert len(core.stand_in.ledger()) == 1
    assert core.audit() == []
