"""One verb per function: lock and load, decide in the domain, save, emit; all in the transaction given."""
