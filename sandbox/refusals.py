"""What the API, or the proxy before it, says when it does not do as asked. Only data and plain functions."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from email.utils import formatdate
from typing import Any

#: The platform's own zone.
CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Answer with this status and error instead. Without a code, the message is a page.

    `own`: said by the proxy and not by Z.AI; "plain" is a message alone, "full" echoes the request
    as the proxy does, its token included. `body`: the error's JSON, where it is not of the usual shape.
    """

    status: int
    code: str | None
    message: str
    retry_after: str | None = None
    own: str = ""
    body: dict[str, Any] | None = None


def page(status: int, title: str) -> Refusal:
    """A gateway's HTML."""
    html = f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body><center><h1>{status} {title}</h1></center>"
    return Refusal(status, None, f"{html}<hr><center>nginx</center></body>\r\n</html>\r\n")


UNSAFE = "System detected potentially unsafe or sensitive content in input or generation"

#: Before acceptance: nothing is charged. Section 6 of the API's facts.
REFUSALS: dict[str, Refusal] = {
    "auth_failed": Refusal(401, "1000", "Authentication failed"),
    "auth_missing": Refusal(401, "1001", "Header: Authorization parameter is missing"),
    "bad_token": Refusal(401, "1002", "Authorization Token is invalid"),
    "auth_expired": Refusal(401, "1003", "Authorization Token is expired"),
    "auth_refused": Refusal(401, "1004", "Authentication with the provided Authorization Token failed"),
    "second_factor": Refusal(401, "1005", "Second-factor authentication is needed"),
    "account_error": Refusal(429, "1100", "Account read/write failed"),
    "account_inactive": Refusal(429, "1110", "Your account is inactive"),
    "account_missing": Refusal(429, "1111", "Your account does not exist"),
    "locked": Refusal(429, "1112", "The account is locked"),
    "no_balance": Refusal(429, "1113", "Insufficient balance or no resource package. Please recharge."),
    "account_unreachable": Refusal(429, "1120", "Unable to access your account, try again later"),
    "account_violation": Refusal(429, "1121", "The account is locked for violation of the terms"),
    "call_failed": Refusal(500, "1200", "API call failed"),
    "bad_request": Refusal(400, "1210", "Incorrect API call parameters"),
    "model_unknown": Refusal(400, "1211", "Model does not exist"),
    "wrong_call": Refusal(400, "1212", "The model does not support this way of calling"),
    "missing_parameter": Refusal(400, "1213", "A parameter was not received"),
    "bad_parameter": Refusal(400, "1214", "Invalid parameter"),
    "conflicting_parameters": Refusal(400, "1215", "Two parameters cannot be set at once"),
    "no_permission": Refusal(403, "1220", "No permission to access this API"),
    "api_offline": Refusal(400, "1221", "This API has been taken offline"),
    "api_unknown": Refusal(400, "1222", "This API does not exist"),
    "process_error": Refusal(500, "1230", "API call process error"),
    "duplicate": Refusal(400, "1231", "You already have a request: this one"),
    "use_task_id": Refusal(400, "1232", "Use task_id to fetch async results"),
    "unknown_task": Refusal(400, "1233", "Task does not exist"),
    "server_error": Refusal(500, "1234", "Network error"),
    "server_error_id": Refusal(500, "1235", "Network error, error id 4c8e"),
    "runtime_error": Refusal(500, "1260", "Runtime error"),
    "prompt_too_long": Refusal(400, "1261", "Prompt too long"),
    "policy": Refusal(400, "1300", "The call was blocked by policy"),
    "content": Refusal(400, "1301", UNSAFE),
    "rate_limit": Refusal(429, "1302", "Your account has reached the rate limit"),
    "too_frequent": Refusal(429, "1303", "Frequency of requests is too high"),
    "daily_limit": Refusal(429, "1304", "The daily call limit of this API is reached"),
    "overload": Refusal(429, "1305", "The model is overloaded, try again later"),
    "high_traffic": Refusal(429, "1312", "This model has high traffic, try again later"),
    "usage_limit": Refusal(429, "1308", "Usage limit reached. Your limit will reset at {reset}"),
    "plan_expired": Refusal(429, "1309", "Your plan has expired"),
    "usage_limit_week": Refusal(429, "1310", "Weekly/Monthly limit exhausted. Your limit will reset at {reset}"),
    "plan_lacks_model": Refusal(429, "1311", "The plan does not include this model"),
    "fair_use": Refusal(429, "1313", "Your account is restricted by the fair use policy"),
    "plan_only": Refusal(429, "1315", "This key is for the coding plan only"),
    "usage_limit_plan": Refusal(429, "1316", "5-hour limit reached, no overage. Resets at {reset}"),
    "no_api_permission": Refusal(434, "434", "No API permission: the feature is in beta"),
    "file_too_large": Refusal(435, "435", "The file is larger than 100 MB"),
    "unknown_code": Refusal(429, "9999", "An error that is in no list"),
    "too_large": page(413, "Request Entity Too Large"),
    "bad_gateway": page(502, "Bad Gateway"),
    "unavailable": page(503, "Service Temporarily Unavailable"),
    "gateway_timeout": page(504, "Gateway Time-out"),
    "not_found_page": page(404, "Not Found"),
    "proxy_no_token": Refusal(401, None, "A valid API token is required to access the resource", own="full"),
    "proxy_bad_token": Refusal(401, None, "Invalid api_token", own="full"),
    "proxy_no_access": Refusal(401, None, "No access token is associated with this api_token", own="full"),
    "proxy_no_credential": Refusal(403, None, "No zai credential is set", own="full"),
    "proxy_file_missing": Refusal(422, None, "File is required for upload.", own="full"),
    "proxy_not_found": Refusal(404, None, "Not Found", own="plain"),
    "proxy_error": Refusal(500, None, "socket hang up", own="plain"),
}  # fmt: skip
#: Those that can also come when all is accepted and charged: their fault is called NAME_after.
LATE = ("call_failed", "process_error", "server_error", "bad_gateway", "unavailable", "gateway_timeout", "proxy_error")

#: Ways of writing when a limit ends. The docs only say `${next_flush_time}`.
RESETS: dict[str, Callable[[datetime], str]] = {
    "plain": lambda at: f"{at:%Y-%m-%d %H:%M:%S}",
    "minutes": lambda at: f"{at:%Y-%m-%d %H:%M}",
    "slashes": lambda at: f"{at:%Y/%m/%d %H:%M:%S}",
    "iso": lambda at: f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    "offset": lambda at: f"{at:%Y-%m-%dT%H:%M:%S}+08:00",
    "http": lambda at: formatdate(at.timestamp(), usegmt=True),
    "chinese": lambda at: f"{at:%Y年%m月%d日 %H:%M}",
    "ms": lambda at: str(int(at.timestamp() * 1000)),
    "missing": lambda _at: "${next_flush_time}",
}
FAR = datetime(2099, 1, 1, tzinfo=CHINA)


def with_value(refusal: Refusal, value: str | None) -> Refusal:
    """What a fault's VALUE means for a refusal.

    Where a limit's end is in the text: SECONDS or SECONDS/FORMAT. For an error of the proxy's: its message.
    Otherwise a Retry-After: any text, or `date+SECONDS` for an HTTP-date.
    """
    if "{reset}" in refusal.message:
        seconds, _, form = (value or "").partition("/")
        at = datetime.fromtimestamp(int(time.time() + float(seconds)), CHINA) if seconds else FAR
        return replace(refusal, message=refusal.message.format(reset=RESETS[form or "plain"](at)))
    if not value:
        return refusal
    if refusal.own:
        return replace(refusal, message=value)
    if value.startswith("date"):
        return replace(refusal, retry_after=formatdate(time.time() + float(value[4:] or 0), usegmt=True))
    return replace(refusal, retry_after=value)


#: Other shapes of an error, made from its code and message.
SHAPES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "error_code_number": lambda code, text: {"error": {"code": int(code), "message": text}},
    "error_code_null": lambda _code, text: {"error": {"code": None, "message": text}},
    "error_code_missing": lambda _code, text: {"error": {"message": text}},
    "error_chinese": lambda code, _text: {
        "error": {"code": code, "message": "您的账户已达到速率限制,请您控制请求频率"}
    },
    "error_extra_fields": lambda code, text: {
        "error": {"code": code, "message": text, "type": "x", "param": None},
        "request_id": "2026",
        "success": False,
    },
    "error_is_text": lambda _code, text: {"error": text},
}
BY_CODE = {refusal.code: refusal for refusal in REFUSALS.values() if refusal.code}


def shaped(shape: str, code: str | None) -> Refusal:
    """An error that is known by its code, in another shape; 1214 where none is named."""
    known = with_value(BY_CODE[code or "1214"], None)
    return replace(known, body=SHAPES[shape](known.code or "", known.message))
