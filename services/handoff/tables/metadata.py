"""The one metadata object that all tables of handoff are in."""

from sqlalchemy import MetaData

__all__ = ["METADATA"]

METADATA = MetaData()
