"""Every refused target of the vectors is refused, in each scheme, and nothing public is blocked (SECURITY 4)."""

import json
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest

from shared.web.addresses import AddressRefused, check_address
from shared.web.client import GuardedClient
from tests.support.material import material

OWN_REFUSED = ("10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1")
OWN_ALLOWED = ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8")


def url_of(ip: str) -> str:
    return f"https://[{ip}]/" if ":" in ip else f"https://{ip}/"


def is_refused(url: str, *, is_http_allowed: bool) -> bool:
    try:
        GuardedClient(is_http_allowed=is_http_allowed, ports=(80, 443, 8443, 9092, 5432)).check_url(url)
    except AddressRefused:
        return True
    return False


def test_the_forms_of_one_address_are_judged_alike() -> None:
    for ip in OWN_REFUSED:
        assert is_refused(url_of(ip), is_http_allowed=False), ip
    for ip in OWN_ALLOWED:
        assert not is_refused(url_of(ip), is_http_allowed=False), ip


def test_all_vectors_of_refused_and_allowed_targets() -> None:
    path = material("vectors/ssrf_addresses.json")
    if path is None:
        return  # material() has said so
    vectors = json.loads(path.read_text())
    listed = {case["ip"]: case for case in (*vectors["svix"], *vectors["smokescreen"])}.values()
    refused = allowed = 0
    for case in listed:
        url = url_of(case["ip"])
        verdicts = {is_refused(one, is_http_allowed=True) for one in (url, url.replace("https:", "http:"))}
        verdicts.add(is_refused(url, is_http_allowed=False))
        assert verdicts == {not case["allowed"]}, case
        refused, allowed = refused + (not case["allowed"]), allowed + case["allowed"]
    for form in vectors["own_url_forms_all_refused"]:
        for url in {form, form.replace("http://", "https://")}:
            assert is_refused(url, is_http_allowed=True), url
        refused += 1
    assert (refused, allowed) == (93, 8)


def test_private_networks_open_nothing_else() -> None:
    path = material("vectors/ssrf_addresses.json")
    cases = (
        [{"ip": "172.16.0.1", "allowed": True}, {"ip": "127.0.0.1", "allowed": False}]
        if path is None
        else json.loads(path.read_text())["with_private_ranges_allowed"]
    )
    networks = [ip_network("172.16.0.0/12"), ip_network("192.168.1.0/24")]
    for case in cases:
        if case["allowed"]:
            check_address(ip_address(case["ip"]), private_networks=networks)
        else:
            with pytest.raises(AddressRefused):
                check_address(ip_address(case["ip"]), private_networks=networks)


async def test_a_name_with_one_private_answer_is_never_connected_to() -> None:
    async def flips(_: str, __: int) -> list[IPv4Address | IPv6Address]:
        return [ip_address("8.8.8.8"), ip_address("127.0.0.1")]

    with pytest.raises(AddressRefused):
        await GuardedClient(resolve=flips).send("POST", "https://hooks.example.com/")
