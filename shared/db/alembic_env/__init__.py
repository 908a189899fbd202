"""Alembic's script folder, the same for all services; the connection comes from `shared.db.migrate`."""
