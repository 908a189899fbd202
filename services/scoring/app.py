"""Scoring's process: settings, databases, consumer, relay, rechecks, routes."""

from services.scoring.api import internal_routes, public_routes
from services.scoring.consumer import handlers
from services.scoring.rechecks import rechecks
from services.scoring.settings import Settings
from services.scoring.store.ledger import LEDGER, due_work
from services.scoring.usecases.activate_terms import activate_due_agreement
from services.scoring.usecases.keep_house import drop_old_history
from services.scoring.usecases.ruling import Terms
from services.scoring.usecases.score_leads import Desk
from shared.runtime import Runtime, main
from shared.web.app_factory import create_app
from shared.web.auth import by_service_token

__all__ = ["build"]

ACTIVATION_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 3600.0


def build() -> Runtime:
    """Everything scoring runs."""
    settings = Settings()
    runtime = Runtime(settings)
    work, read = runtime.database("worker"), runtime.database("api")
    desk = Desk(Terms(), settings.exploration_salt.encode())
    api = create_app(settings, [public_routes(read, desk.terms)], authenticate=by_service_token(runtime.tokens))
    runtime.serve_api(api)
    runtime.serve_internal(work, routers=[internal_routes(read)], standing=[due_work], ledger=LEDGER)
    runtime.relay(work)
    runtime.consume(handlers(desk), work)
    desk.wake = runtime.loop("rechecks", rechecks(work, desk)).wake
    runtime.every(ACTIVATION_SECONDS, "activate_terms", activate_due_agreement, database=work)
    runtime.every(HOUSEKEEPING_SECONDS, "keep_house", drop_old_history, database=work)
    return runtime


if __name__ == "__main__":
    main(build)
