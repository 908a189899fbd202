"""The settings every service shares, read from the environment and checked at start.

A setting `name` is BATON_<SERVICE>_<NAME> for one service, else BATON_<NAME> for all. Secrets come from files that
settings name, never from the repository or a command line. Another service's addresses are BATON_<OTHER>_URL and
BATON_<OTHER>_INTERNAL_URL.
"""

import os
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

__all__ = ["PORTS", "SERVICES", "Environment", "ServiceSettings"]

SERVICES = ("ingest", "scoring", "handoff", "feedback", "console")
# API ports where nobody sets one (a container per service); the internal port is the next one. `baton up` draws free
# ones.
PORTS = {"ingest": 8100, "scoring": 8200, "handoff": 8300, "feedback": 8400, "console": 8500}


class Environment(StrEnum):
    """What kind of deployment this is; only demo and test may move the world clock."""

    PRODUCTION = "production"
    LOCAL = "local"
    DEMO = "demo"
    TEST = "test"

    @property
    def has_world_clock(self) -> bool:
        """Whether world time is the movable clock of DECISIONS section 8."""
        return self in {Environment.DEMO, Environment.TEST}


class _PrefixedSource(PydanticBaseSettingsSource):
    """Reads BATON_<SERVICE>_<NAME>, else BATON_<NAME>."""

    def __init__(self, settings_class: type[BaseSettings], service: str) -> None:
        super().__init__(settings_class)
        self.service = service

    @override
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        for prefix in (f"BATON_{self.service.upper()}_", "BATON_"):
            value = os.environ.get(prefix + field_name.upper())
            if value:
                return value, field_name, False
        return None, field_name, False

    @override
    def __call__(self) -> dict[str, Any]:
        found = (self.get_field_value(field, name) for name, field in self.settings_cls.model_fields.items())
        return {name: value for value, name, _ in found if value is not None}


class ServiceSettings(BaseSettings):
    """What each process of a service must know; each service's subclass adds its name and own fields.

    Raises pydantic.ValidationError at start when a value is missing or malformed: the message names the variable's
    field.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    service: ClassVar[str]

    environment: Environment = Field(Environment.PRODUCTION, description="production, local, demo or test")
    database_url: str = Field(description="PostgreSQL server, postgresql://user:password@host:port[/database]")
    kafka_bootstrap_servers: str = Field(description="host:port[,host:port] of Apache Kafka")
    topic_prefix: str = Field("baton.", description="what the names of all topics begin with")
    host: str = Field("127.0.0.1", description="address both ports listen on")
    api_port: int | None = Field(None, ge=1, le=65535, description="port of the public routes")
    internal_port: int | None = Field(None, ge=1, le=65535, description="port of health, metrics and /internal")
    trusted_proxies: str = Field(
        "", description="addresses and networks, comma separated, whose X-Forwarded-For is believed; none by default"
    )
    instance: str = Field("0", description="ordinal of this process among those of its role: static group membership")
    signing_key_file: Path | None = Field(None, description="this service's private key (EdDSA, PEM, mode 0600)")
    service_keys_file: Path | None = Field(None, description="JSON file with the public keys of all services")
    fernet_key_file: Path | None = Field(None, description="key that wraps stored secrets (Fernet, one per line)")
    hint_key_file: Path | None = Field(None, description="key of the keyed hashes of identity keys and hints")
    world_clock_file: Path | None = Field(None, description="movable world clock; demo and test only")
    log_level: str = Field("info", description="debug, info, warning or error")
    traces_endpoint: str | None = Field(None, description="OTLP/HTTP address traces are sent to; none = no traces")
    pool_size: int = Field(8, ge=1, le=64, description="database connections of this process at most")
    batches_at_once: int = Field(4, ge=1, le=64, description="batches applied at the same time by one process")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        """Each one an address or network: a wrong entry would trust nobody, or everybody, without a word."""
        for one in value.split(",") if value else ():
            ip_network(one.strip())
        return value

    @override
    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _PrefixedSource(settings_cls, cls.service)

    @property
    def service_database_url(self) -> str:
        """This service's own database: the URL set for it alone, else `baton_<service>` on the common server."""
        if os.environ.get(f"BATON_{self.service.upper()}_DATABASE_URL"):
            return self.database_url
        parts = urlsplit(self.database_url)
        return urlunsplit(parts._replace(path=f"/baton_{self.service}"))

    @property
    def listen_api(self) -> int:
        """The port of the public routes."""
        return self.api_port or PORTS[self.service]

    @property
    def listen_internal(self) -> int:
        """The port of health, metrics and `/internal`."""
        return self.internal_port or PORTS[self.service] + 1

    @staticmethod
    def address_of(service: str, *, internal: bool = False) -> str:
        """Base URL of another service: its setting, else the default port on this host."""
        suffix = "_INTERNAL_URL" if internal else "_URL"
        default = f"http://127.0.0.1:{PORTS[service] + int(internal)}"
        return os.environ.get(f"BATON_{service.upper()}{suffix}", default).rstrip("/")
