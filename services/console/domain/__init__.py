"""What the console's pages say, as pure functions over read-model rows: no I/O, no wall clock, nothing personal."""
