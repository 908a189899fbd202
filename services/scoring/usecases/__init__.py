"""One function per verb: lock and load, decide in the domain, save, emit, all in the transaction it is given."""
