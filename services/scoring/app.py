"""Scoring's process: settings, databases, consumer, relay, rechecks, routes."""

from services.scoring.api import internal_router, router
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
    """The runtime of one process of scoring."""
    settings = Settings()
    runtime = Runtime(settings)
    worker, api = runtime.database("worker"), runtime.database("api")
    desk = Desk(Terms(), settings.exploration_salt.encode())
    app = create_app(
        settings,
        [router],
        authenticate=by_service_token(runtime.tokens),
        state={"database": api, "terms": desk.terms},
    )
    runtime.serve_api(app)
    runtime.serve_internal(worker, routers=[internal_router], standing=[due_work], ledger=LEDGER)
    runtime.consume(handlers(desk), worker)
    runtime.relay(worker)
    desk.wake = runtime.loop("rechecks", rechecks(worker, desk)).wake
    runtime.every(ACTIVATION_SECONDS, "activate_terms", activate_due_agreement, database=worker)
    runtime.every(HOUSEKEEPING_SECONDS, "keep_house", drop_old_history, database=worker)
    return runtime


if __name__ == "__main__":
    main(build)
