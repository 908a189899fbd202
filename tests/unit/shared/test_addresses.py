"""The address guard: every special network refused, odd URLs refused, public ones pass."""

import json
from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import pytest

from shared.web.addresses import Address, AddressRefused, Target, is_allowed, parse_target
from shared.web.client import AddressGuard
from tests.support.material import material

REFUSED = (
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.1.2.3", "224.1.2.3",
    "255.255.255.255", "240.1.1.1", "198.18.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.0.0.255",
    "192.88.99.1", "::1", "::", "::ffff:127.0.0.1", "fe80::1", "fd00::1", "64:ff9b::808:808", "2002:808:808::1",
    "2001:0:1::1", "5f00::1", "100::1", "2001:db8::1", "3fff::1", "ff02::2", "fd00:ec2::254",
)  # fmt: skip
PUBLIC = ("8.8.8.8", "1.1.1.1", "100.128.0.1", "::ffff:8.8.8.8", "2001:4860:4860::8888", "2606:4700:4700::1111")
ODD_URLS = (
    "http://localhost/", "http://0x7f000001/", "http://2130706433/", "http://127.1/", "http://0/", "//127.0.0.1/",
    "https://user:pw@127.0.0.1/", "https://a.example@127.0.0.1/", "http://127.0.0.1%00.a.example/",
    "http://127.0.0.1\\@a.example/", "https://127.0.0.1#@a.example/", "file:///etc/passwd", "gopher://127.0.0.1/_x",
    "javascript:alert(1)", "http://a.example:0/", "http://a.example:99999/", "http://postgres:5432/",
    "http://[::1%25lo]/", "http:///127.0.0.1/", "https://a..example/", "https://-a.example/", "https://a.example./",
    "https://a.example/\r\nhost: b", "https://a.example/ b", "https://\u24dbocalhost/", "https://1.2.3.256/",
    "https://[::g]/", "https://a.example/#x", "https://" + "a" * 3000 + ".example/",
)  # fmt: skip
ALL_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "127.0.0.0/8")))


@pytest.mark.parametrize("text", REFUSED)
def test_special_networks_are_refused(text: str) -> None:
    assert not is_allowed(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_pass(text: str) -> None:
    assert is_allowed(ip_address(text))


def test_an_operator_opens_private_networks_and_nothing_else() -> None:
    for text in ("10.1.1.1", "172.16.0.1", "192.168.1.1", "fd00::1"):
        assert is_allowed(ip_address(text), networks=ALL_PRIVATE)
        assert not is_allowed(ip_address(text), networks=[ip_network("192.168.7.0/24")])
    for text in ("127.0.0.1", "::1", "169.254.169.254", "100.64.0.1", "ff02::2", "255.255.255.255", "fd00:ec2::254"):
        assert not is_allowed(ip_address(text), networks=ALL_PRIVATE)


def test_loopback_is_for_a_stack_on_one_machine() -> None:
    for text in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert is_allowed(ip_address(text), is_loopback_allowed=True)


@pytest.mark.parametrize("url", ODD_URLS)
async def test_odd_urls_are_refused_whatever_is_permitted(url: str) -> None:
    """Whatever it resolves to, too: a resolver that reads `127.1` its own way must not be asked."""

    async def public(_host: str, _port: int) -> Sequence[Address]:
        return [ip_address("8.8.8.8")]

    guard = AddressGuard(is_plain_allowed=True, ports=None, resolve=public)
    with pytest.raises(AddressRefused):
        await guard.check(url)


def test_a_url_is_taken_apart() -> None:
    parts = {"is_plain_allowed": True, "ports": None}
    assert parse_target("https://A.example/x?y=1", **parts) == Target("https", "a.example", 443, "/x?y=1")  # type: ignore[arg-type]
    assert parse_target("http://a.example:8080?y", **parts) == Target("http", "a.example", 8080, "/?y")  # type: ignore[arg-type]
    six = parse_target("https://[2606:4700::1]:8443/", **parts)  # type: ignore[arg-type]
    assert (six.host, six.authority, six.literal) == ("2606:4700::1", "[2606:4700::1]:8443", ip_address("2606:4700::1"))
    assert parse_target("https://a.example", **parts).authority == "a.example"  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["http://a.example/", "https://a.example:444/"])
def test_production_takes_https_on_its_ports_alone(url: str) -> None:
    with pytest.raises(AddressRefused):
        parse_target(url, is_plain_allowed=False, ports=frozenset({443, 8443}))


async def test_every_answer_of_a_name_is_checked() -> None:
    async def both(_host: str, _port: int) -> Sequence[Address]:
        return [ip_address("8.8.8.8"), ip_address("10.0.0.1")]

    with pytest.raises(AddressRefused, match="network"):
        await AddressGuard(resolve=both).check("https://a.example/")


async def test_a_name_without_an_address_is_refused() -> None:
    async def nowhere(_host: str, _port: int) -> Sequence[Address]:
        return []

    with pytest.raises(AddressRefused, match="no address"):
        await AddressGuard(resolve=nowhere).check("https://a.example/")


async def test_the_vectors_of_the_field_are_judged_as_stated() -> None:
    path = material("vectors/ssrf_addresses.json")
    if path is None:
        return
    vectors = json.loads(path.read_text())
    judged = {case["ip"]: case["allowed"] for case in (*vectors["svix"], *vectors["smokescreen"])}
    assert [list(judged.values()).count(verdict) for verdict in (False, True)] == [56, 8]
    assert len(vectors["own_url_forms_all_refused"]) == 93 - 56
    for text, allowed in judged.items():
        assert is_allowed(ip_address(text)) is allowed, text
    for case in vectors["with_private_ranges_allowed"]:
        assert is_allowed(ip_address(case["ip"]), networks=ALL_PRIVATE) is case["allowed"], case
    guard = AddressGuard(is_plain_allowed=True, ports=None)
    for text, allowed in judged.items():  # as URLs, which a client would connect to
        for scheme in ("http", "https"):
            url = f"{scheme}://[{text}]/" if ":" in text else f"{scheme}://{text}/"
            if allowed:
                assert str((await guard.check(url))[1]) == str(ip_address(text))
            else:
                with pytest.raises(AddressRefused):
                    await guard.check(url)
    for url in vectors["own_url_forms_all_refused"]:
        with pytest.raises(AddressRefused):
            await guard.check(url)
        with pytest.raises(AddressRefused):
            await guard.check_url(url.replace("http://", "https://"))
