"""What each error of the API means: one table, from zai-docs' and bigmodel's error pages.

The classes: retry, wait, pause the model or the account, fail, refused content, outcome unknown.
Codes that only older lists have (1232, 1233, 1235, 1260) keep their rows.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum


class Action(StrEnum):
    RETRY = "retry"
    #: Retry the same job; the whole account waits.
    RETRY_LATER = "retry later"
    #: Too many at once: fewer slots for this model.
    SHRINK = "shrink"
    #: Too fast: this model rests, and does less at once.
    SLOW = "slow"
    #: The provider cannot keep up: this model rests.
    OVERLOADED = "overloaded"
    PAUSE_MODEL = "pause model"
    PAUSE_ACCOUNT = "pause account"
    FAIL = "fail"
    #: This job fails, and every other of its model would.
    FAIL_MODEL = "fail, pause model"
    #: Content refused: this one job fails, with the provider's words.
    REFUSED = "refused"
    UNKNOWN = "unknown"
    #: The provider has this request already and its handle is lost.
    ALREADY_ACCEPTED = "already accepted"
    #: A task that may be known in a moment.
    PATIENCE = "patience"


@dataclass(frozen=True, slots=True)
class Ruling:
    """`wait_s`: seconds before another try, or the length of a pause; `cap_s`: what it grows to when said again.

    `probes`: nobody knows when the cause ends: after the pause one call goes first. Here it is the
    pause's length, in probe intervals. `obeys`: the API itself said how long.
    """

    action: Action
    wait_s: float = 0.0
    cap_s: float = 0.0
    probes: int = 0
    obeys: bool = False


A = Action
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
#: Seconds between two looks at whether an account or a model works again.
PROBE_S = 15 * MINUTE

SERVER = Ruling(A.UNKNOWN, 2.0)  # a POST may have been accepted; a GET is simply asked again
CREDENTIALS = Ruling(A.PAUSE_ACCOUNT, probes=1)
LOCKED = Ruling(A.PAUSE_ACCOUNT, probes=4)
NO_BALANCE = "1113"
#: Until these are mended, not even a poll is answered.
CREDENTIAL_CODES = frozenset(
    {"1000", "1001", "1002", "1003", "1004", "1005", "1110", "1111", "1112", "1121", "401", "403"}
)
#: Also our own word for a connection that was never made.
NOT_SENT = "not_sent"
#: Any answer, be it to a poll, shows that these are mended.
REACHED_CODES = CREDENTIAL_CODES | {NOT_SENT}
CODES: dict[str, Ruling] = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004", "1005"), CREDENTIALS),
    "1100": Ruling(A.PAUSE_ACCOUNT, MINUTE),
    **dict.fromkeys(("1110", "1111", "1112", "1121"), LOCKED),
    # The same text means `no package for this model`: the account only when a second model says so.
    NO_BALANCE: Ruling(A.PAUSE_MODEL, probes=1),
    "1120": Ruling(A.RETRY_LATER, 45.0),
    "1200": SERVER,
    **dict.fromkeys(("1210", "1213", "1214", "1215", "1261", "435"), Ruling(A.FAIL)),
    **dict.fromkeys(("1211", "1212"), Ruling(A.FAIL_MODEL, probes=4)),
    **dict.fromkeys(("1220", "434"), Ruling(A.PAUSE_MODEL, probes=1)),
    **dict.fromkeys(("1221", "1222"), Ruling(A.PAUSE_MODEL, probes=1)),
    "1230": SERVER,
    "1231": Ruling(A.ALREADY_ACCEPTED),
    **dict.fromkeys(("1232", "1233"), Ruling(A.PATIENCE, 5.0)),
    **dict.fromkeys(("1234", "1235", "1260"), SERVER),
    **dict.fromkeys(("1300", "1301"), Ruling(A.REFUSED)),
    "1302": Ruling(A.SHRINK, 3.0),
    "1303": Ruling(A.SLOW, 5.0, MINUTE),
    "1304": Ruling(A.PAUSE_MODEL, DAY),
    **dict.fromkeys(("1305", "1312"), Ruling(A.OVERLOADED, 5.0, 2 * MINUTE)),
    "1308": Ruling(A.PAUSE_MODEL, HOUR),
    "1310": Ruling(A.PAUSE_MODEL, DAY),
    **dict.fromkeys(("1309", "1314", "1315"), Ruling(A.PAUSE_ACCOUNT, probes=1)),
    "1311": Ruling(A.PAUSE_MODEL, probes=4),
    "1313": Ruling(A.PAUSE_ACCOUNT, probes=96),
    **dict.fromkeys(("1316", "1317", "1318", "1319", "1320", "1321"), Ruling(A.PAUSE_ACCOUNT, HOUR)),
}
#: The gateway leads nowhere: nothing was delivered, and every job of the model would fare alike.
NO_ROUTE = Ruling(A.PAUSE_MODEL, probes=1)
#: Without a code that we know, the status speaks.
STATUSES: dict[int, Ruling] = {
    **dict.fromkeys(range(300, 400), NO_ROUTE),
    401: CREDENTIALS,
    403: CREDENTIALS,
    404: NO_ROUTE,
    405: NO_ROUTE,
    408: SERVER,
    409: SERVER,
    429: Ruling(A.SLOW, 5.0, MINUTE),
}
WITH_RESET = frozenset({"1308", "1310", "1316", "1317", "1318", "1319", "1320", "1321"})


def rule(
    status: int | None,
    code: str | None,
    *,
    sent: bool,
    idempotent: bool,
    message: str = "",
    retry_after_s: float | None = None,
    now: datetime,
    probe_s: float = PROBE_S,
) -> Ruling:
    """Say what an error means. Pure.

    `sent`: bytes may have reached the API. `idempotent`: asking again costs nothing.
    `probe_s`: seconds between looks at whether a cause without a known end is over.
    """
    if not sent:
        return Ruling(A.RETRY)
    known = CODES.get(code or "")
    ruling = known or STATUSES.get(status or 0) or (Ruling(A.FAIL) if 400 <= (status or 0) < 500 else SERVER)
    if ruling.action is A.UNKNOWN and idempotent:
        ruling = replace(ruling, action=A.RETRY)
    if idempotent and ruling is NO_ROUTE:
        ruling = Ruling(A.PATIENCE, 5.0)
    if ruling.probes:
        ruling = replace(ruling, wait_s=probe_s * ruling.probes)
    if code == "1304":
        ruling = replace(ruling, wait_s=until_midnight_s(now))
    if code in WITH_RESET and (reset := reset_at(message)) is not None:
        ruling = replace(ruling, wait_s=min(max((reset - now).total_seconds(), 1.0), 8 * DAY))
    if retry_after_s is not None and not ruling.probes:
        ruling = replace(ruling, wait_s=retry_after_s, obeys=True)
    return ruling


#: The platform counts its days in China's time (believed).
CHINA = timezone(timedelta(hours=8))


def until_midnight_s(now: datetime) -> float:
    local = now.astimezone(CHINA)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - local).total_seconds()


STAMP = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})[T ](\d{1,2}):(\d{2})(?::(\d{2}))?\s*(Z|[+-]\d{2}:?\d{2})?")


def reset_at(message: str) -> datetime | None:
    """The time at which a limit ends, from the text of 1308, 1310 and their like; China's time if none is said."""
    found = STAMP.search(message)
    if not found:
        return None
    *parts, zone = found.groups()
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    try:
        naive = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the zone comes next
        if zone is None:
            return naive.replace(tzinfo=CHINA)
        return naive.replace(tzinfo=UTC if zone == "Z" else datetime.strptime(zone, "%z").tzinfo)
    except ValueError:
        return None
