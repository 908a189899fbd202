"""HTTP of handoff: request model, use case or store, response; one router per subject."""
