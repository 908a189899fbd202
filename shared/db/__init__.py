"""PostgreSQL: the engine with the only commit, the runtime's own tables, and the migration runner."""
