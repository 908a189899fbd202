"""The console's process: settings → clients and databases → handlers → pages, routes and stream → runtime."""

from functools import partial

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from services.console.api import forwarding, users
from services.console.commands.leaving import send_due
from services.console.commands.owners import Owners
from services.console.commands.profiles import Profiles
from services.console.consumer import HANDLERS
from services.console.pages import (
    actions,
    agreement,
    board,
    connecting,
    connections,
    funnel,
    importing,
    leads,
    parked,
    parking,
    queue,
    sign_in,
    stream,
)
from services.console.pages.headers import SecurityHeaders
from services.console.pages.problems import add_problem_pages
from services.console.pages.rendering import STATIC_FOLDER
from services.console.pages.watching import Watching
from services.console.settings import Settings
from services.console.store.changes import drop_old_changes
from services.console.store.leaving import forget_old_unsent
from services.console.store.people import sweep
from services.console.usecases.prove import Prover
from shared.config import SERVICES
from shared.db.engine import Database
from shared.runtime import Runtime, main
from shared.web.app_factory import create_app
from shared.web.auth import ServiceTokens

__all__ = ["build", "site"]

_OF_SOURCES = (connections, connecting, importing, parked, parking)
_PAGES = (sign_in, queue, board, leads, funnel, agreement, *_OF_SOURCES, actions, stream)


def site(
    settings: Settings, *, database: Database, tokens: ServiceTokens, owners: Owners, watching: Watching
) -> FastAPI:
    """The public port's app: pages, stream, users and keys, forwarded routes, static files."""
    app = create_app(
        settings,
        [*(page.router for page in _PAGES), users.router, forwarding.router],
        authenticate=Prover(settings, database, tokens),
        state={"database": database, "owners": owners, "profiles": watching.profiles, "watching": watching},
    )
    app.mount("/static", StaticFiles(directory=STATIC_FOLDER), name="static")
    app.add_middleware(SecurityHeaders)
    add_problem_pages(app)
    return app


def build() -> Runtime:
    """The runtime of one console process."""
    settings = Settings()
    runtime = Runtime(settings)
    worker, api = runtime.database("worker"), runtime.database("api")
    owners = Owners(
        {name: runtime.client(name) for name in SERVICES if name != settings.service},
        {name: runtime.client(name, internal=True) for name in SERVICES},
    )
    watching = Watching(api, Profiles(owners.internal["ingest"]))
    runtime.serve_api(site(settings, database=api, tokens=runtime.tokens, owners=owners, watching=watching))
    runtime.serve_internal(worker, routers=[users.internal_router])
    runtime.consume(HANDLERS, worker)
    runtime.loop("watching", watching.run, role="api")
    runtime.loop("leaving", partial(send_due, worker, owners), is_of_world=False)
    runtime.every(60, "drop_old_changes", drop_old_changes, database=worker)
    runtime.every(3_600, "forget_old_unsent", forget_old_unsent, database=worker)
    runtime.every(
        300,
        "sweep_sessions",
        partial(sweep, idle_hours=settings.session_idle_hours, days_max=settings.session_days_max),
        database=worker,
    )
    return runtime


if __name__ == "__main__":
    main(build)
