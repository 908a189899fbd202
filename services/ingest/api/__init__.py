"""The HTTP routes of ingest beside its front door: request model, then use case or store, then response model."""
