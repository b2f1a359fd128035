"""The HTTP API, a file for each resource."""

from fastapi import APIRouter

PREFIX = "/api/v1"
router = APIRouter(prefix=PREFIX)
