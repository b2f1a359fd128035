"""The dashboard's pages, a file for each."""

from fastapi import APIRouter

from web.pages import (
    actions,
    audit,
    batches,
    costs,
    job,
    jobs,
    live,
    login,
    now,
    outputs,
    schedules,
    steering,
    submit,
    wall,
    webhooks,
)

PAGES = (
    audit, now, batches, wall, jobs, job, outputs, schedules, costs, webhooks, submit, actions, steering, live, login,
)  # fmt: skip

router = APIRouter(include_in_schema=False)
for each in PAGES:
    router.include_router(each.router)
