"""The trace that a job is enqueued in: W3C's `traceparent`, which its row keeps for the spans of its life."""

import os
import re
import sys
from contextvars import ContextVar

#: That of the request for which a job is enqueued.
GIVEN: ContextVar[str | None] = ContextVar("traceparent", default=None)

# Version 00; ids of zeros alone mean none.
FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def current() -> str | None:
    """The caller's trace: of the HTTP request, of OpenTelemetry's span that is open, or by the variable TRACEPARENT."""
    for found in (GIVEN.get(), of_open_span(), os.environ.get("TRACEPARENT")):
        if found and FORM.fullmatch(found):
            return found
    return None


def of_open_span() -> str | None:
    """Of producers that trace; who did not import OpenTelemetry has no span open."""
    if (trace := sys.modules.get("opentelemetry.trace")) is None:
        return None
    span = trace.get_current_span().get_span_context()
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" if span.is_valid else None
