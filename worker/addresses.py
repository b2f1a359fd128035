"""Which addresses a webhook may lead to: what is in a URL must not open our own network."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SETTING = "MEDIAJOBS_WEBHOOK_ALLOW"
#: Gateways from IPv6 to IPv4 by address alone.
NAT64 = IPv6Network("64:ff9b::/96")
MAX_URL_CHARS = 2000
#: A host that ends so is no name: some resolvers take it for an address, such as 2130706433 for 127.0.0.1.
NUMBER = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)$", re.IGNORECASE)


def networks(given: str) -> tuple[Network, ...]:
    """Networks or single addresses, divided by commas. Raises ValueError."""
    return tuple(ip_network(each.strip(), strict=False) for each in given.split(",") if each.strip())


def reached(address: Address) -> Address:
    """Where a packet ends up: IPv6 has several ways to write an IPv4 address."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def refusal(address: str, allowed: Sequence[Network]) -> str | None:
    """Why nothing may be sent to this address; None if it may."""
    end = reached(ip_address(address.partition("%")[0]))
    if any(end in network for network in allowed if network.version == end.version):
        return None
    if end.is_global and not end.is_multicast:
        return None
    return f"{end} is no public address; {SETTING}={end} would allow it"


def parse(url: str, allowed: Sequence[Network] | None = ()) -> str:
    """The URL, if something could be sent there. Raises ValueError. allowed: None, if any address is.

    A name is looked up when something is sent: what it leads to may change until then.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is no URL: {error}") from None
    wrong = url_problem(url, parts, port)
    if wrong is None and allowed is not None and (why := literal_refusal(parts.hostname or "", allowed)):
        wrong = f"leads nowhere public: {why}"
    if wrong:
        raise ValueError(wrong)
    return url


def host_of(url: str) -> str:
    """Scheme, name and port of a URL, as `deliveries.host` has them."""
    return re.split("[?#]", "/".join(url.split("/", 3)[:3]))[0].lower()


def url_problem(url: str, parts: SplitResult, port: int | None) -> str | None:
    if parts.scheme not in ("http", "https"):
        return "is no http(s) URL"
    if not parts.hostname or port == 0:
        return "names no host"
    if parts.username is not None or parts.password is not None:
        return "has a user in it; put a secret into the path instead"
    if NUMBER.search(parts.hostname.rstrip(".")) and not is_address(parts.hostname):
        return f"has a number as its host, {parts.hostname}; write the address in full, such as 192.0.2.7"
    if len(url) > MAX_URL_CHARS or any(char.isspace() or not char.isprintable() for char in url):
        return f"has a space in it, or more than {MAX_URL_CHARS} characters"
    return None


def is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def literal_refusal(host: str, allowed: Sequence[Network]) -> str | None:
    return refusal(host, allowed) if is_address(host) else None  # of a name it is asked when it is looked up
