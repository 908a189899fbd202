"""What ingest does, one verb per function, in the transaction it is given: lock and load, decide, save, emit."""
