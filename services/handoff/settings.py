"""What handoff must know at start, beside what every service shares."""

from ipaddress import ip_network
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from shared.config import Environment, ServiceSettings
from shared.web.client import AddressGuard

__all__ = ["Settings"]


class Settings(ServiceSettings):
    """Handoff's settings."""

    service: ClassVar[str] = "handoff"

    clocks_at_once: int = Field(500, ge=1, le=2000, description="due clocks fired in one transaction")
    public_url: str = Field("http://127.0.0.1:8500", description="address of the console, for links in messages")

    # What goes out: without an SMTP host mails are not sent, and the attempt log says so.
    smtp_host: str | None = Field(None, description="mail server that takes our mails; none = no mails")
    smtp_port: int = Field(587, ge=1, le=65535, description="its port")
    smtp_username: str | None = Field(None, description="user name there; none = no sign-in")
    smtp_password_file: Path | None = Field(None, description="file that holds the password")
    smtp_is_tls: bool = Field(False, description="TLS from the first byte; else STARTTLS when the server offers it")
    outbound_networks: str = Field("", description="private networks endpoints may lie in, as CIDRs with commas")
    is_loopback_allowed: bool = Field(False, description="endpoints may lie on this machine; ignored in production")
    mail_from: str = Field("baton@localhost", description="sender of our mails")
    mail_roles: str = Field("", description="addresses of roles without a user: revops=a@x.example,sales=b@x.example")

    def guard(self) -> AddressGuard:
        """Where endpoints may lie: in production https on 443 and 8443, and never this machine."""
        networks = tuple(ip_network(cidr.strip()) for cidr in self.outbound_networks.split(",") if cidr.strip())
        if self.environment is Environment.PRODUCTION:
            return AddressGuard(networks=networks)
        return AddressGuard(
            is_plain_allowed=True, ports=None, networks=networks, is_loopback_allowed=self.is_loopback_allowed
        )

    @property
    def role_addresses(self) -> dict[str, str]:
        """The addresses of roles, by role."""
        pairs = (pair.partition("=") for pair in self.mail_roles.split(",") if "=" in pair)
        return {role.strip(): address.strip() for role, _, address in pairs}
