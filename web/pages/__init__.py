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
    submit,
    wall,
    webhooks,
)

router = APIRouter(include_in_schema=False)
for each in (audit, now, batches, wall, jobs, job, outputs, schedules, costs, webhooks, submit, actions, live, login):
    router.include_router(each.router)
