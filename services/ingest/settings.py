"""What an ingest process must know beside the common settings."""

import base64
import hashlib
from ipaddress import ip_network
from pathlib import Path
from typing import ClassVar

from cryptography.fernet import Fernet, MultiFernet
from pydantic import Field

from shared.config import Environment, ServiceSettings
from shared.errors import Fatal
from shared.web.client import AddressGuard

__all__ = ["Settings"]

# Outside production a laptop works without key files; the data it makes is then readable by whoever reads this line.
_LOCAL_KEY = b"baton on a laptop: not a secret"


class Settings(ServiceSettings):
    """Settings of ingest, BATON_INGEST_<NAME>."""

    service: ClassVar[str] = "ingest"

    public_url: str | None = Field(None, description="what senders see before the path; none = our own port")
    requests_in_flight_max: int = Field(2000, ge=1, description="requests between body and answer; above it 503")
    bytes_in_flight_max: int = Field(64 * 1024 * 1024, ge=1, description="their bytes together; above it 503")
    server_key_rate: int = Field(500, ge=1, description="requests a second of one server key")
    browser_key_rate: int = Field(200, ge=1, description="requests a second of one browser key")
    browser_address_rate: int = Field(
        20, ge=1, description="requests a second of one client address with a browser key"
    )
    unproven_rate: int = Field(
        50, ge=1, description="requests a second of one client network that prove nothing; above it 429"
    )
    door_folder: Path | None = Field(
        None,
        description="folder of this process alone that outlives it, for the spool and the copy of the sources; "
        "none = no spool: 503 while Kafka is away",
    )
    spool_bytes_max: int = Field(1024**3, ge=1, description="bytes of deliveries on disk at most; above it 503")
    anonymous_days: int = Field(180, ge=1, description="days an anonymous lead stays after its last activity")

    api_networks: str = Field("", description="private networks the APIs of senders may lie in, as CIDRs with commas")
    is_loopback_allowed: bool = Field(False, description="they may lie on this machine; ignored in production")

    def guard(self) -> AddressGuard:
        """Where the APIs of senders may lie: in production https on 443 and 8443, and never this machine."""
        networks = tuple(ip_network(cidr.strip()) for cidr in self.api_networks.split(",") if cidr.strip())
        if self.environment is Environment.PRODUCTION:
            return AddressGuard(networks=networks)
        return AddressGuard(
            is_plain_allowed=True, ports=None, networks=networks, is_loopback_allowed=self.is_loopback_allowed
        )

    @property
    def door_url(self) -> str:
        """What stands before the path in the addresses of sources."""
        return (self.public_url or f"http://{self.host}:{self.listen_api}").rstrip("/")

    def keyed_hash_key(self) -> bytes:
        """The key of identity hashes and hints. Raises Fatal in production without a key file."""
        return self._key(self.hint_key_file, "hint_key_file")

    def wrapping(self) -> MultiFernet:
        """What wraps stored secrets, newest key first. Raises Fatal in production without a key file."""
        text = self._key(self.fernet_key_file, "fernet_key_file")
        if self.fernet_key_file is None:
            return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(text).digest()))])
        return MultiFernet([Fernet(line) for line in text.split()])

    def _key(self, file: Path | None, name: str) -> bytes:
        if file is not None:
            return file.read_bytes().strip()
        if self.environment is Environment.PRODUCTION:
            raise Fatal(f"Set BATON_{name.upper()}: production keeps no personal data under a key that anybody knows.")
        return _LOCAL_KEY
