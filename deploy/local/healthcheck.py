"""Health check of a container: is the service's second port ready? `python -m deploy.local.healthcheck [url]`.

The slim image has no curl; the address comes from BATON_INTERNAL_PORT as the service itself reads it.
"""

import http.client
import os
import sys
from urllib.parse import urlsplit

__all__ = ["is_ready"]


def is_ready(internal_url: str) -> bool:
    """Whether a service says that all its parts are ready."""
    connection = http.client.HTTPConnection(urlsplit(internal_url).netloc, timeout=2)
    try:
        connection.request("GET", "/healthz/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    _port = os.environ.get("BATON_INTERNAL_PORT", "8501")
    sys.exit(not is_ready("".join(sys.argv[1:2]) or f"http://127.0.0.1:{_port}"))
