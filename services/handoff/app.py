"""Handoff as a process: settings, databases, consumer, relay, clocks, routes."""

from services.handoff.api import INTERNAL_ROUTERS, ROUTERS
from services.handoff.clocks import ClockLoop, clocks_standing, way_beats
from services.handoff.consumer import HANDLERS
from services.handoff.dispatches import DispatchLoop, destinations_of, wrapping_of
from services.handoff.settings import Settings
from services.handoff.store.attempts import DISPATCH_LEDGER
from services.handoff.store.dispatches import dispatches_standing, prune_dispatches
from services.handoff.store.handoffs import prune_changes
from services.handoff.store.ledger import LEDGER
from services.handoff.store.results import prune_results
from services.handoff.store.tries import prune_tries
from services.handoff.usecases.agreeing import activate_agreement
from shared.runtime import Runtime, main
from shared.web.app_factory import create_app
from shared.web.auth import by_service_token

__all__ = ["build"]

ACTIVATION_SECONDS = 1.0
PRUNE_SECONDS = 600.0


def build() -> Runtime:
    """The runtime of one process of handoff."""
    settings = Settings()
    runtime = Runtime(settings)
    worker, api = runtime.database("worker"), runtime.database("api")
    ingest, wrapping = runtime.client("ingest", internal=True), wrapping_of(settings)
    app = create_app(
        settings,
        ROUTERS,
        authenticate=by_service_token(runtime.tokens),
        state={
            "database": api,
            "ingest": ingest,
            "wrapping": wrapping,
            "check_address": settings.guard().check_url,
        },
    )
    runtime.serve_api(app)
    standing, ledger = [clocks_standing, dispatches_standing], LEDGER + DISPATCH_LEDGER
    runtime.serve_internal(worker, routers=INTERNAL_ROUTERS, standing=standing, ledger=ledger)
    runtime.consume(HANDLERS, worker)
    runtime.relay(worker)
    runtime.loop("clocks", ClockLoop(worker, at_once=settings.clocks_at_once).run)
    runtime.loop("api_beats", way_beats(worker, "api"), role="api", is_of_world=False)
    destinations = destinations_of(settings, ingest=ingest, wrapping=wrapping)
    runtime.loop("dispatches", DispatchLoop(worker, destinations).run)
    runtime.every(PRUNE_SECONDS, "prune_dispatches", prune_dispatches, database=worker)
    runtime.every(PRUNE_SECONDS, "prune_changes", prune_changes, database=worker)
    runtime.every(PRUNE_SECONDS, "prune_tries", prune_tries, database=worker)
    runtime.every(PRUNE_SECONDS, "prune_results", prune_results, database=worker)
    runtime.every(ACTIVATION_SECONDS, "activate_agreement", activate_agreement, database=worker)
    return runtime


if __name__ == "__main__":
    main(build)
