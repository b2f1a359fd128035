"""Old and new workers side by side on the newer schema: migrations only add, and nobody at work minds."""

from sqlalchemy import inspect, text

from tests.support.fleet import IMAGE, Fleet


def test_workers_go_on_while_a_migration_adds_to_every_table(fleet: Fleet) -> None:
    """As a later version's would: what runs now is then the old version."""
    fleet.stand_in.change("config", times={IMAGE: 0.3})
    jobs = fleet.enqueue_mixed(images=40, videos=4, sounds=4)
    fleet.launch("old", "beat")
    tables = inspect(fleet.engine).get_table_names()
    for count, table in enumerate(tables, 3):
        fleet.wait_for("succeeded", count)
        with fleet.engine.begin() as conn:
            conn.execute(text("set local lock_timeout = '10s'"))
            conn.execute(text(f"alter table {table} add column of_later text, add column more bigint default 0"))
            conn.execute(text(f"create index on {table} (of_later)"))
    fleet.launch("new")
    fleet.wait_until_ended()
    assert fleet.audit() == []
    assert fleet.charged() == jobs == len(fleet.rows("select from attempts"))
    assert not [line for line in fleet.logs().splitlines() if "ERROR" in line or "a write was refused" in line]
