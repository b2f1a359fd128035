"""The account behind the keys: its balance, locks and tokens. Each is a state that lasts until it is changed."""

from typing import Any

from sandbox.refusals import REFUSALS, Refusal


class Account:
    """One account; every token of it shares its limits."""

    def __init__(self, tokens: list[str]) -> None:
        self._first_tokens = tokens
        self.clear()

    def clear(self) -> None:
        self.tokens = list(self._first_tokens)
        self.balance = True
        #: Models without a balance or a package of their own.
        self.empty_models: set[str] = set()
        #: The code that every call is answered with, if locked.
        self.locked: str | None = None
        #: The proxy has a key for Z.AI.
        self.credential = True
        #: The key is of a coding plan.
        self.plan = True

    def refusal(self, token: str, model: str, *, direct: bool, paid: bool) -> Refusal | None:
        """Why a call of this token is not taken. Polls cost nothing, so an empty account may make them."""
        if token not in self.tokens:
            if direct:
                return REFUSALS["bad_token" if token else "auth_missing"]
            return REFUSALS["proxy_bad_token" if token else "proxy_no_token"]
        if not (self.credential or direct):
            return REFUSALS["proxy_no_credential"]
        if self.locked:
            return REFUSALS["account_violation" if self.locked == "1121" else "locked"]
        if paid and not (self.balance and model not in self.empty_models):
            return REFUSALS["no_balance"]
        return None

    def change(self, given: dict[str, Any]) -> None:
        """Raises ValueError for a name that there is not.

        `balance`: true, false, or {model: bool}; `locked`: true, false or "1121"; `token` or `tokens`:
        the only ones that are valid from now on; `credential` and `plan`: bool.
        """
        if unknown := set(given) - {"balance", "locked", "token", "tokens", "credential", "plan"}:
            raise ValueError(f"an account has no {', '.join(sorted(unknown))}")
        match given.get("balance"):
            case bool(balance):
                self.balance = balance
                self.empty_models = set() if balance else self.empty_models
            case dict(models):
                self.empty_models |= {model for model, balance in models.items() if not balance}
                self.empty_models -= {model for model, balance in models.items() if balance}
        if "locked" in given:
            self.locked = "1112" if given["locked"] is True else given["locked"] or None
        if "token" in given or "tokens" in given:
            self.tokens = [given["token"]] if "token" in given else list(given["tokens"])
        self.credential = bool(given.get("credential", self.credential))
        self.plan = bool(given.get("plan", self.plan))

    def known(self) -> dict[str, Any]:
        return {
            "balance": self.balance,
            "empty_models": sorted(self.empty_models),
            "locked": self.locked,
            "tokens": self.tokens,
            "first_tokens": self._first_tokens,
            "credential": self.credential,
            "plan": self.plan,
        }

    def restore(self, known: dict[str, Any]) -> None:
        """As it was when it was kept; other tokens than then, given at the start, are the newer word."""
        self.balance, self.locked = known["balance"], known["locked"]
        self.tokens = known["tokens"] if known["first_tokens"] == self._first_tokens else self.tokens
        self.empty_models, self.credential = set(known["empty_models"]), known["credential"]
        self.plan = known.get("plan", True)
