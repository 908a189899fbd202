"""HTTP of ingest behind the front door: request model, use case or store, response; one router per subject."""

from fastapi import APIRouter

from services.ingest.api.accounts import router as _accounts
from services.ingest.api.import_looks import router as _import_looks
from services.ingest.api.imports import router as _imports
from services.ingest.api.leads import router as _leads
from services.ingest.api.mapping import router as _mapping
from services.ingest.api.privacy import router as _privacy
from services.ingest.api.senders import router as _senders
from services.ingest.api.sources import router as _sources

__all__ = ["ROUTERS"]

ROUTERS: tuple[APIRouter, ...] = (_leads, _accounts, _imports, _import_looks, _privacy, _sources, _senders, _mapping)
