"""`scripts/probe-api`: asks the real API what the stand-in only believes of it, and prints what is otherwise.

Each probe says what is believed (docs/sandbox.md), what a look at it costs at most, and how to look. Plain
httpx, and no client of ours: what counts is what is on the wire. On the stand-in itself nothing differs.
"""

import argparse
import os
import sys
from collections.abc import Iterator

import httpx

from sandbox.probes import PROBES
from sandbox.probing import POLL_S, Api, Probe, Seen


def chosen(side: str, only: list[str], max_cost: float) -> list[Probe]:
    """Those that can be asked on this side, as far as the money goes."""
    found = [
        each for each in PROBES if each.side in (None, side) and (not only or any(word in each.name for word in only))
    ]
    spent = 0.0
    taken = []
    for each in found:
        if spent + each.cost <= max_cost:
            spent += each.cost
            taken.append(each)
    return taken


def lines(api: Api, probes: list[Probe]) -> Iterator[tuple[bool, str]]:
    """Whether it is as believed, and what to print of it."""
    for each in probes:
        try:
            found = each.look(api)
        except (httpx.HTTPError, ValueError, KeyError, IndexError) as error:
            found = Seen(f"{type(error).__name__}: {error}".replace(api.token or "\0", "[hidden]")[:200])
        seen = found if isinstance(found, Seen) else Seen(found)
        same = seen.value == each.believed
        note = f"  ({seen.note})" if seen.note else ""
        if same:
            yield True, f"as believed  {each.name}: {seen.value}{note}"
        else:
            yield False, f"DIFFERENT    {each.name}: {seen.value}{note}\n             believed: {each.believed}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/probe-api", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--base-url", default=os.environ.get("MEDIAJOBS_API_BASE_URL", "https://api.lowcodeapi.com/zai")
    )
    parser.add_argument("--token", default=os.environ.get("MEDIAJOBS_API_TOKEN", ""), help="or MEDIAJOBS_API_TOKEN")
    parser.add_argument(
        "--max-cost", type=float, default=0.1, metavar="USD", help="leave out what would cost more [0.10]"
    )
    parser.add_argument("--only", action="append", default=[], metavar="WORD", help="probes with this in their name")
    parser.add_argument("--list", action="store_true", help="say what would be asked, and ask nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask before money is spent")
    parser.add_argument("--poll-every", type=float, default=POLL_S, metavar="S", help=argparse.SUPPRESS)
    given = parser.parse_args()

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    api = Api(given.base_url, given.token, poll_s=given.poll_every)
    probes = chosen(api.side, given.only, given.max_cost)
    cost = sum(each.cost for each in probes)
    if given.list:
        for each in probes:
            say(f"${each.cost:<6g} {each.name}: {each.believed}")
    say(f"{len(probes)} probes of {api.base} ({api.side}), for ${cost:.2f} at most")
    if given.list:
        return 0
    if not given.token:
        parser.error("no token: give --token, or set MEDIAJOBS_API_TOKEN")
    if cost and not given.yes and input("go on? [y/N] ").strip().lower() != "y":
        return 2
    different = 0
    for same, line in lines(api, probes):
        different += not same
        say(line)
    say(f"{different} of {len(probes)} are not as believed" if different else f"all {len(probes)} are as believed")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
