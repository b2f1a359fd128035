"""What the API refuses of chats, agents and tools, by docs.z.ai's pages: (code, message), or None."""

from typing import Any

from sandbox.checks import Refusal, common
from sandbox.messages import messages_of, shown
from sandbox.prices import AGENTS, CHAT_MODELS, VISION

ROLES = {"system", "user", "assistant", "tool"}
MAX_FUNCTIONS = 128
#: Field → its least and its most.
RANGES = {"temperature": (0, 1), "top_p": (0.01, 1), "max_tokens": (1, 131072)}
RECENCY = {"oneDay", "oneWeek", "oneMonth", "oneYear", "noLimit"}
PURPOSES = {"agent", "batch", "code-interpreter", "voice-clone-input", "fine-tune", "retrieval"}
SUFFIXES = {"pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt", "jpg", "jpeg", "png", "csv", "jsonl", "wav",
            "mp3"}  # fmt: skip


def request_id(body: dict[str, Any]) -> Refusal:
    given = body.get("request_id")
    return None if given is None or 6 <= len(str(given)) <= 64 else ("1214", "request_id must have 6 to 64 characters")


def messages(body: dict[str, Any]) -> Refusal:
    given = body.get("messages")
    if not given:
        return "1213", "The parameter messages is missing"
    found = messages_of(body)
    if not isinstance(given, list) or len(found) != len(given):
        return "1214", "messages must be a list of messages"
    roles = [each.get("role") for each in found]
    if wrong := [role for role in roles if role not in ROLES]:
        return "1214", f"role {wrong[0]} is not supported"
    if set(roles) <= {"system", "assistant"}:
        return "1214", "messages must not be of the system or the assistant only"
    return None


def chat(body: dict[str, Any]) -> Refusal:
    if refusal := common(body, set(CHAT_MODELS)) or request_id(body) or messages(body):
        return refusal
    if shown(messages_of(body), "image_url") and body["model"] not in VISION:
        return "1210", f"{body['model']} does not take images"
    for name, (least, most) in RANGES.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, int | float) or not least <= value <= most):
            return "1214", f"{name} must be {least} to {most}"
    stop = body.get("stop")
    if stop is not None and (not isinstance(stop, list) or len(stop) > 1):
        return "1214", "stop must be a list of one word"
    if body.get("tool_choice") not in (None, "auto"):
        return "1214", "tool_choice must be auto"
    tools = body.get("tools")
    if tools is not None and (not isinstance(tools, list) or len(tools) > MAX_FUNCTIONS):
        return "1214", f"tools must be a list of {MAX_FUNCTIONS} at most"
    wanted = body.get("response_format")
    if wanted is not None and (not isinstance(wanted, dict) or wanted.get("type") not in ("text", "json_object")):
        return "1214", "response_format.type must be text or json_object"
    return None


def agent(body: dict[str, Any]) -> Refusal:
    name = body.get("agent_id")
    if not name:
        return "1213", "The parameter agent_id is missing"
    if name not in AGENTS and not str(name).startswith("test-"):
        return "1211", f"Agent {name} does not exist"
    if refusal := request_id(body) or messages(body):
        return refusal
    variables = body.get("custom_variables")
    if name == "vidu_template_agent":
        if not isinstance(variables, dict) or not variables.get("template"):
            return "1213", "The parameter custom_variables.template is missing"
        if not shown(messages_of(body), "image_url"):
            return "1213", "The message's image_url is missing"
    return None


def tokenizer(body: dict[str, Any]) -> Refusal:
    return common(body, set(CHAT_MODELS)) or request_id(body) or messages(body)


def web_search(body: dict[str, Any]) -> Refusal:
    for name in ("search_engine", "search_query"):
        if not body.get(name):
            return "1213", f"The parameter {name} is missing"
    count = body.get("count")
    if count is not None and (not isinstance(count, int) or not 1 <= count <= 50):
        return "1214", "count must be 1 to 50"
    if body.get("search_recency_filter") not in (None, *RECENCY):
        return "1214", f"search_recency_filter {body['search_recency_filter']} is not supported"
    return request_id(body)


def reader(body: dict[str, Any]) -> Refusal:
    url = body.get("url")
    if not url:
        return "1213", "The parameter url is missing"
    return None if str(url).startswith(("http://", "https://")) else ("1214", f"url {url} is no http(s) address")


def file_upload(body: dict[str, Any]) -> Refusal:
    purpose = body.get("purpose")
    if not purpose:
        return "1213", "The parameter purpose is missing"
    if purpose not in PURPOSES:
        return "1214", f"purpose {purpose} is not supported"
    name = str(body.get("filename") or "")
    suffix = name.rpartition(".")[2].lower()
    return None if not name or suffix in SUFFIXES else ("1214", f"files of type {suffix} are not supported")
