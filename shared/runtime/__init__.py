"""One process of a service: one TaskGroup holds every long-running part.

Start order, readiness, drain on SIGTERM, roles.

A service's app.py builds a `Runtime` and hands it to `main`. Exit codes: 0 stopped as asked, 2 wrong use, 70 cannot
go on (the supervisor starts it again).
"""

from shared.db.ledger import LedgerCheck
from shared.db.standing import Due
from shared.runtime.command_line import main
from shared.runtime.pace import Pace
from shared.runtime.process import EXIT_FATAL, Runtime
from shared.telemetry import Step, announce

__all__ = ["EXIT_FATAL", "Due", "LedgerCheck", "Pace", "Runtime", "Step", "announce", "main"]
