"""HTTP in and out: the app factory, who may do what, idempotent commands, clients of services and of foreign hosts."""
