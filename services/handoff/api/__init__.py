"""HTTP of handoff: request model, use case or store, response; one router per subject."""

from fastapi import APIRouter

from services.handoff.api.batches import router as _batches
from services.handoff.api.card import router as _card
from services.handoff.api.crew import internal_router as _known_reps
from services.handoff.api.crew import router as _crew
from services.handoff.api.endpoints import router as _endpoints
from services.handoff.api.handoffs import router as _handoffs
from services.handoff.api.person import router as _person
from services.handoff.api.places import router as _places
from services.handoff.api.teams import router as _teams
from services.handoff.api.views import router as _views

__all__ = ["INTERNAL_ROUTERS", "ROUTERS"]

ROUTERS: tuple[APIRouter, ...] = (_batches, _handoffs, _views, _card, _places, _crew, _teams, _endpoints)
INTERNAL_ROUTERS: tuple[APIRouter, ...] = (_known_reps, _person)
