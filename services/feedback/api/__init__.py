"""HTTP of feedback: request model, use case or store, response; one router per subject."""

from fastapi import APIRouter

from services.feedback.api.agreements import router as _agreements
from services.feedback.api.disputes import router as _disputes
from services.feedback.api.models import router as _models
from services.feedback.api.outcomes import router as _outcomes
from services.feedback.api.person import router as _person
from services.feedback.api.reports import router as _reports

__all__ = ["INTERNAL_ROUTERS", "ROUTERS"]

ROUTERS: tuple[APIRouter, ...] = (_outcomes, _reports, _agreements, _models, _disputes)
INTERNAL_ROUTERS: tuple[APIRouter, ...] = (_person,)
