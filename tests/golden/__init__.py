"""Golden numbers: what the package returned before it was reorganised. See README.md."""

import os

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # before numpy, as in tests/conftest.py
