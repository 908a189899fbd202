"""One thread for the fits of these tests.

On a shared machine several wait for each other longer than they compute.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
