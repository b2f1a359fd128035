"""Faults that can be switched on: by rule at run time, or for one request by a marker in its prompt.

A fault acts at one point: `before` acceptance (nothing is charged), `after` it (charged), on the
`answer` of a call or a poll, or on a `file`. `docs/sandbox.md` lists them.
"""

import random
import re
from dataclasses import dataclass, field
from typing import Any

MARKER = re.compile(r"\[\[fault:([a-z_0-9]+)(?::([^\]]*))?\]\]")

#: name → (HTTP status, code, message): refusals before acceptance, by section 6 of the API's facts.
REFUSALS: dict[str, tuple[int, str | None, str]] = {
    "rate_limit": (429, "1302", "Your account has reached the rate limit"),
    "too_frequent": (429, "1303", "Frequency of requests is too high"),
    "daily_limit": (429, "1304", "The daily call limit of this API is reached"),
    "overload": (429, "1305", "The model is overloaded, try again later"),
    "usage_limit": (429, "1308", "Usage limit reached. Your limit will reset at 2099-01-01 00:00:00"),
    "no_balance": (429, "1113", "Insufficient balance or no resource package. Please recharge."),
    "locked": (429, "1112", "The account is locked"),
    "plan_lacks_model": (429, "1311", "The plan does not include this model"),
    "bad_token": (401, "1002", "Authorization Token is invalid"),
    "no_permission": (403, "1220", "No permission to access this API"),
    "bad_parameter": (400, "1214", "Invalid parameter"),
    "content": (400, "1301", "System detected potentially unsafe or sensitive content in input or generation"),
    "duplicate": (400, "1231", "You already have a request: this one"),
    "server_error": (500, "1234", "Network error"),
    "bad_gateway": (502, None, "<html><body><h1>502 Bad Gateway</h1></body></html>"),
}
#: Where each other fault acts.
POINTS = {
    "reset_before": "before",
    "server_error_after": "after",
    "bad_gateway_after": "after",
    "reset_after": "after",
    "hang_after": "after",
    "truncated": "answer",
    "html": "answer",
    "empty": "answer",
    "error_in_200": "answer",
    "base64": "answer",
    "no_data": "answer",
    "numeric_id": "answer",
    "unknown_at_first": "poll",
    "remote_fail": "poll",
    "success_without_url": "poll",
    "odd_status": "poll",
    "not_there_yet": "file",
    "short_file": "file",
    "html_file": "file",
    "empty_file": "file",
    "gone": "file",
}


@dataclass
class Rule:
    """When a fault is played. `times`: how often at most."""

    fault: str
    match: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    times: int | None = None
    seen: int = 0

    def fits(self, call: dict[str, Any], chance: float) -> bool:
        for name in ("endpoint", "model"):
            if name in self.match and call.get(name) != self.match[name]:
                return False
        if (wanted := self.match.get("prompt_contains")) and wanted not in str(call.get("prompt", "")):
            return False
        self.seen += 1
        if (first := self.match.get("first")) is not None and self.seen > first:
            return False
        if (every := self.match.get("every")) is not None and self.seen % every:
            return False
        return chance < float(self.match.get("rate", 1.0))


class Faults:
    """The rules in force. Raises ValueError for a fault that does not exist."""

    def __init__(self, seed: int) -> None:
        self.rules: list[Rule] = []
        self._random = random.Random(seed)

    def add(self, given: list[dict[str, Any]]) -> None:
        for each in given:
            if each.get("fault") not in {*REFUSALS, *POINTS}:
                raise ValueError(f"no such fault: {each.get('fault')!r}; known are {', '.join([*REFUSALS, *POINTS])}")
        self.rules += [Rule(**each) for each in given]

    def find(self, point: str, **call: Any) -> tuple[str, dict[str, Any]] | None:
        """The fault to play at this point of this call, with its parameters."""
        for rule in self.rules:
            if point_of(rule.fault) != point or rule.times == 0 or not rule.fits(call, self._random.random()):
                continue
            if rule.times is not None:
                rule.times -= 1
            return rule.fault, rule.params
        marked = MARKER.search(str(call.get("prompt", "")))
        if marked and (marked[1] in REFUSALS or marked[1] in POINTS) and point_of(marked[1]) == point:
            return marked[1], {"value": marked[2]}
        return None


def point_of(fault: str) -> str:
    return "before" if fault in REFUSALS else POINTS[fault]
