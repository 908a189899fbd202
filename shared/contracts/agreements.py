"""Topic `agreements`: every published version of the one document both teams sign."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Part, Payload

__all__ = ["AgreementPublished", "Signature"]


class Signature(Part):
    """One team's consent."""

    user_id: UUID = Field(description="who signed")
    team: str = Field(description="marketing or sales")
    signed_at: datetime = Field(description="when")


class AgreementPublished(Payload):
    """A version becomes decisive at effective_from; it never changes afterwards."""

    TYPE: ClassVar[str] = "baton.agreement.published.v1"
    KEY: ClassVar[str] = "agreement_id"

    agreement_id: str = Field(description="the agreement")
    version: int = Field(ge=1, description="its version")
    effective_from: datetime = Field(description="when services begin to decide by it")
    document: str = Field(description="canonical JSON text of the document (shared/contracts/agreement.py)")
    sha256: str = Field(description="hash of the document")
    signatures: list[Signature] = Field(default_factory=list, description="one of each team; none on the default")
    is_unsigned_default: bool = Field(description="the shipped default that nobody signed")
