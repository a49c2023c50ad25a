"""MLflow's own server for all workspaces: `python -m tests.azure.jobs.tracking_server`.

Prints its port on 127.0.0.1 when it listens, and ends with its standard input. Each request says by a header which
workspace's store it is about; MLflow's server knows one store only, so the one place where it asks for it is replaced.
"""

from __future__ import annotations

import functools
import sys
import threading
from typing import Any, Final

HEADER: Final = "X-Loopback-Store"


def main() -> None:
    from flask import request
    from mlflow.server import app, handlers
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from werkzeug.serving import make_server

    @functools.lru_cache
    def store(home: str) -> SqlAlchemyStore:
        return SqlAlchemyStore(f"sqlite:///{home}/mlflow.db", f"{home}/artifacts")  # type: ignore[no-untyped-call]

    def asked(*_: Any, **__: Any) -> SqlAlchemyStore:
        return store(request.headers[HEADER])

    handlers._get_tracking_store = asked
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(server.port, flush=True)

    def until_the_end() -> None:
        sys.stdin.read()
        server.shutdown()

    threading.Thread(target=until_the_end, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
