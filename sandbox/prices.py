"""What the ledger charges, in US dollars: docs.z.ai/guides/overview/pricing, copies of 2025-11 to 2026-07."""

#: A call.
A_CALL = {
    "glm-image": 0.015, "cogview-4-250304": 0.01, "cogvideox-3": 0.2, "viduq1-text": 0.4, "viduq1-image": 0.4,
    "viduq1-start-end": 0.4, "vidu2-image": 0.2, "vidu2-start-end": 0.2, "vidu2-reference": 0.4,
    "glm-asr-2512": 0.0024, "vidu_template_agent": 0.2, "web_search": 0.01,
}  # fmt: skip
ASSUMED = 0.01
#: A million tokens: read, read from the cache, written. The agents have one price for all.
A_MILLION_TOKENS = {
    "glm-5.2": (1.4, 0.26, 4.4), "glm-5.1": (1.4, 0.26, 4.4), "glm-5-turbo": (1.2, 0.24, 4.0),
    "glm-5v-turbo": (1.2, 0.24, 4.0), "glm-5": (1.0, 0.2, 3.2), "glm-4.7": (0.6, 0.11, 2.2),
    "glm-4.7-flashx": (0.07, 0.01, 0.4), "glm-4.7-flash": (0.0, 0.0, 0.0), "glm-4.6": (0.6, 0.11, 2.2),
    "glm-4.6v": (0.3, 0.05, 0.9), "glm-4.6v-flashx": (0.04, 0.004, 0.4), "glm-4.6v-flash": (0.0, 0.0, 0.0),
    "glm-4.5": (0.6, 0.11, 2.2), "glm-4.5v": (0.6, 0.11, 1.8), "glm-4.5-x": (2.2, 0.45, 8.9),
    "glm-4.5-air": (0.2, 0.03, 1.1), "glm-4.5-airx": (1.1, 0.22, 4.5), "glm-4.5-flash": (0.0, 0.0, 0.0),
    "glm-4-32b-0414-128k": (0.1, 0.1, 0.1), "general_translation": (3.0, 3.0, 3.0),
    "slides_glm_agent": (0.7, 0.7, 0.7),
}  # fmt: skip
#: Of a model that is in no list.
ASSUMED_TOKENS = (0.6, 0.11, 2.2)
VISION = frozenset({"glm-5v-turbo", "glm-4.6v", "glm-4.6v-flashx", "glm-4.6v-flash", "glm-4.5v"})
AGENTS = frozenset({"general_translation", "slides_glm_agent", "vidu_template_agent"})
#: Models that chat and code endpoints know.
CHAT_MODELS = frozenset(A_MILLION_TOKENS) - AGENTS


def of_call(model: str) -> float:
    return A_CALL.get(model, ASSUMED)


def of_tokens(model: str, usage: dict[str, object]) -> float:
    """By what `usage` counts."""
    read, cached, written = A_MILLION_TOKENS.get(model, ASSUMED_TOKENS)
    tokens = {name: value for name, value in usage.items() if isinstance(value, int)}
    details = usage.get("prompt_tokens_details")
    from_cache = int(details.get("cached_tokens", 0)) if isinstance(details, dict) else 0
    asked, said = tokens.get("prompt_tokens", 0), tokens.get("completion_tokens", 0)
    return ((asked - from_cache) * read + from_cache * cached + said * written) / 1e6
