"""The console's JSON routes: users and keys, the forwarded /v1 of all services, and the internal routes."""
