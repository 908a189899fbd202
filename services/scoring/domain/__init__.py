"""The decisions of scoring as pure functions over frozen values; `now` is an argument."""
