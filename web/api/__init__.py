"""The HTTP API, a file for each resource."""

from fastapi import APIRouter

from web.api import batches, calls, jobs, money, people, schedules, shapes, steer, submit, uploads, webhooks

PREFIX = "/api/v1"
PROBLEM = {"description": "It cannot be had; says why.", "model": shapes.Problem}
router = APIRouter(prefix=PREFIX, responses={"4XX": PROBLEM, "503": PROBLEM})
for part in (batches, submit, uploads, jobs, schedules, steer, money, people, webhooks, calls):
    router.include_router(part.router)
