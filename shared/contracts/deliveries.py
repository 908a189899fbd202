"""Topic `deliveries`: the raw request of one sender, read by ingest alone.

The record's value is the body, byte for byte; what else we know of the request rides in the header `request` as JSON.
It is not a
JSON payload like the other topics', so it has no schema file of its value.
"""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.kinds import VerifiedBy

__all__ = ["DELIVERY_TYPE", "REQUEST_HEADER", "DeliveryRequest"]

DELIVERY_TYPE = "baton.delivery.received.v1"
REQUEST_HEADER = "request"


class DeliveryRequest(BaseModel):
    """What the door knew of one inbound request, beside its bytes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source_id: UUID = Field(description="the configured source")
    sender: str = Field(description="the kind of outside system: names the adapter")
    method: str = Field(description="HTTP method")
    path: str = Field(description="path without query")
    query: str = Field("", description="query without secrets")
    headers: dict[str, str] = Field(default_factory=dict, description="those the adapter names, lower-case")
    verified_by: VerifiedBy = Field(description="how it proved where it came from")
    secret_id: str | None = Field(None, description="which secret verified it")
    address: str | None = Field(None, description="client network, cut to /24 or /48")
    received_at: datetime = Field(description="world time at the door")
    is_gpc: bool = Field(False, description="Sec-GPC: 1 was sent")
    parked_as: str | None = Field(None, description="the door already knows why it must be parked")
