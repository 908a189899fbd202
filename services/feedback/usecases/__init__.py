"""One function per verb of feedback, in the given transaction: lock and load, decide, save, emit."""

SOURCE = "/baton/feedback"
