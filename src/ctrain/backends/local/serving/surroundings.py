"""What of the caller's environment reaches the processes that serve."""

from __future__ import annotations

import os

_KEPT = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES",
)  # fmt: skip


def bare_environment() -> dict[str, str]:
    """What of our environment a server may see: nothing that differs between shells, and no secrets of a CI job."""
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("LC_")}
