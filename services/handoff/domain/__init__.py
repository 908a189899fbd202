"""The decisions of handoff as pure functions over frozen values; `now` is an argument."""
