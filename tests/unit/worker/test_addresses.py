"""Where webhooks may lead."""

import pytest

from worker.addresses import networks, parse, refusal

PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert "MEDIAJOBS_WEBHOOK_ALLOW" in str(refusal(address, ()))


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_what_is_public_is_not(address: str) -> None:
    assert refusal(address, ()) is None


@pytest.mark.parametrize(
    ("allowed", "address"),
    [
        ("10.0.0.0/8", "10.1.2.3"),
        ("127.0.0.1", "127.0.0.1"),
        ("fd00::/8, 172.16.0.0/12", "172.20.0.2"),
        ("10.0.0.0/8", "::ffff:10.1.2.3"),
        ("::1", "::1"),
    ],
)
def test_what_is_allowed_by_name_is_not(allowed: str, address: str) -> None:
    assert refusal(address, networks(allowed)) is None


def test_and_nothing_beside_it() -> None:
    assert refusal("10.1.0.1", networks("10.0.0.0/16")) is not None


BAD_URLS = {
    "ftp://x.example/": "is no http(s) URL",
    "hooks.example/x": "is no http(s) URL",
    "http://": "names no host",
    "https://:8080/x": "names no host",
    "http://x.example:99999/": "is no URL",
    "http://[::1/": "is no URL",
    "https://user:secret@x.example/": "has a user in it",
    "https://x.example/a b": "has a space in it",
    "https://x.example/" + "a" * 2000: "2000 characters",
    "http://127.0.0.1:5678/hook": "leads nowhere public: 127.0.0.1 is no public address",
    "http://2130706433/": "has a number as its host, 2130706433",
    "http://0x7f000001/": "has a number as its host",
    "http://127.1/": "has a number as its host",
    "http://0177.0.0.1:80/x": "has a number as its host",
    "http://127.1./": "has a number as its host",
    "http://[::ffff:10.0.0.1]/hook": "MEDIAJOBS_WEBHOOK_ALLOW=10.0.0.1 would allow it",
}


@pytest.mark.parametrize(("url", "problem"), BAD_URLS.items())
def test_a_url_that_nothing_is_sent_to(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem.replace("(", r"\(").replace(")", r"\)")):
        parse(url)


@pytest.mark.parametrize("url", ["https://hooks.example/T0/B1?x=1", "http://8.8.8.8:8080/", "https://näh.example/"])
def test_a_url_that_something_is_sent_to(url: str) -> None:
    assert parse(url) == url


@pytest.mark.parametrize("given", ["private", "10.0.0.0/40", "n8n.internal"])
def test_networks_are_networks(given: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        networks(given)
