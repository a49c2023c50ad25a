"""A throw-away certificate authority, and a certificate for each name that is asked for."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path

import trustme


class Authority:
    """`file` is what clients trust: by REQUESTS_CA_BUNDLE, SSL_CERT_FILE and NODE_EXTRA_CA_CERTS."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA(organization_name="Loopback Azure")
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.file))
        self.context = cache(self._context)

    def _context(self, host: str) -> ssl.SSLContext:
        """For serving that name over TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # without session tickets, which Python's ssl reads first, a reset is seen as a reset and not as an end
        context.num_tickets = 0
        self._ca.issue_cert(host).configure_cert(context)
        return context
