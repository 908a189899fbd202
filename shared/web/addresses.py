"""Which addresses we may be sent to by somebody else's URL: pure reading of the URL, pure verdict on an address.

Parsers disagree about odd URLs, so everything odd is refused: userinfo, backslash, escapes and zones in the host,
numbers that are no plain dotted quad, names without a dot. Invariant: an address inside another one (v4-mapped) is
judged by the inner one; other embeddings are refused. Source: SECURITY 4, IANA special-purpose registries.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from shared.errors import FieldError, Refused

__all__ = ["Address", "AddressRefused", "Network", "Target", "is_allowed", "parse_target"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_URL_MAX = 2048
_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?(/[!-~]*|\?[!-~]*)?")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}

# What an operator may open, as a CRM on the premises needs it.
_PRIVATE: Final = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
_LOOPBACK: Final = tuple(map(ip_network, ("127.0.0.0/8", "::1/128")))
# Never, whatever is set: this host, neighbours, carriers, groups, examples, tunnels that hide another address.
_NEVER: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
            "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
            "3fff::/20", "5f00::/16", "fd00:ec2::/32", "fe80::/10", "fec0::/10", "ff00::/8",
        ),
    )
)  # fmt: skip


class AddressRefused(Refused):
    """The URL is malformed for us, or leads to an address we do not go to; the reason names no address."""

    slug, title = "address_refused", "This address may not be used"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The address is refused: {reason}.", errors=[FieldError("/url", self.slug, reason)])
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart: scheme http or https, host without brackets, path with query, never empty."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def literal(self) -> Address | None:
        """The address, when the host is one."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def authority(self) -> str:
        """host[:port] as the Host header says it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str, *, is_plain_allowed: bool, ports: frozenset[int] | None) -> Target:
    """Take a URL apart, strictly. ports: those allowed, None = any. Raises AddressRefused with the reason."""
    if len(url) > _URL_MAX:
        raise AddressRefused("it is longer than 2048 characters")
    match = _URL.fullmatch(url)
    if match is None or "#" in url:
        raise AddressRefused("write https://host/path in ASCII, without user, escapes or fragment")
    scheme, host, port_text, path = match.groups()
    if scheme == "http" and not is_plain_allowed:
        raise AddressRefused("only https is allowed")
    port = int(port_text) if port_text else _DEFAULT_PORTS[scheme]
    if not 0 < port <= 65_535 or (ports is not None and port not in ports):
        raise AddressRefused("this port is not allowed")
    rest = path or "/"
    return Target(scheme, _host(host), port, rest if rest.startswith("/") else f"/{rest}")


def is_allowed(address: Address, *, networks: Sequence[Network] = (), is_loopback_allowed: bool = False) -> bool:
    """Whether we may connect to the address. networks: private ranges the operator opened."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if _is_in(address, _LOOPBACK):
        return is_loopback_allowed
    if _is_in(address, _NEVER):
        return False
    return not _is_in(address, _PRIVATE) or _is_in(address, networks)


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except ValueError as error:
            raise AddressRefused("the host is no address") from error
    labels = text.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(text))
        except ValueError as error:
            raise AddressRefused("the host is no plain dotted address") from error
    if len(labels) < 2 or len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("the host is no full domain name")
    return text.lower()


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
