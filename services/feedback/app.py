"""Feedback as a process: settings, databases, consumer, routes, tuner, ledger."""

from datetime import timedelta

from services.feedback.api import INTERNAL_ROUTERS, ROUTERS
from services.feedback.consumer import HANDLERS
from services.feedback.settings import Settings
from services.feedback.store.ledger import LEDGER, agreements_standing, credits_standing
from services.feedback.store.money import when_credit_due
from services.feedback.tuner import Tuner
from services.feedback.usecases.agreements import keep_current
from services.feedback.usecases.outcomes import credit_due
from services.feedback.usecases.tuning import TunerStanding
from shared.runtime import Runtime, main
from shared.web.app_factory import create_app
from shared.web.auth import by_service_token

ACTIVATION_SECONDS = 1.0
CREDITS_SECONDS = 1.0
# A CSV of 5,000 outcomes, or an agreement with every pool of a large company.
BODY_BYTES = 2 * 1024 * 1024


def build() -> Runtime:
    """The runtime of one process of feedback."""
    settings = Settings()
    runtime = Runtime(settings)
    worker, api = runtime.database("worker"), runtime.database("api")
    state = {"database": api} | {callee: runtime.client(callee, internal=True) for callee in ("scoring", "handoff")}
    authenticate = by_service_token(runtime.tokens)
    runtime.serve_api(create_app(settings, ROUTERS, authenticate=authenticate, state=state, body_bytes=BODY_BYTES))
    tuner_standing = TunerStanding(every=timedelta(days=settings.retune_days), outcomes_more=settings.retune_outcomes)
    runtime.serve_internal(
        worker,
        routers=INTERNAL_ROUTERS,
        standing=[credits_standing, agreements_standing, tuner_standing],
        ledger=LEDGER,
    )
    runtime.consume(HANDLERS, worker)
    runtime.relay(worker)
    runtime.every(ACTIVATION_SECONDS, "activation", keep_current, database=worker)
    when_credit_due(runtime.every(CREDITS_SECONDS, "credits", credit_due, database=worker).wake)
    runtime.loop("tuner", Tuner(settings, worker).run)
    return runtime


if __name__ == "__main__":
    main(build)
