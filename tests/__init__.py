"""Tests. Their numpy has no threads of its own, as that of a worker has none: here and not in conftest.py,
because it counts when numpy is first imported."""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
