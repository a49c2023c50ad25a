"""Where the embedded platform keeps its things: one folder, private to its owner."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ctrain.errors import PlatformUnavailable


@dataclass(frozen=True)
class Home:
    """The platform's folder, `.ctrain` beside `ctrain.yaml` unless `CTRAIN_HOME` says otherwise. Always absolute."""

    root: Path

    def check(self) -> None:
        """Raises PlatformUnavailable where the folder is there and cannot be looked into."""
        try:
            (self.root / ".gitignore").stat()
        except FileNotFoundError:
            return
        except OSError as failure:
            raise PlatformUnavailable(
                f"{self.root} cannot be used",
                why=failure.strerror or str(failure),
                hint="it is where the local platform keeps its things: make it a folder of yours, or set CTRAIN_HOME",
            ) from None

    def prepare(self) -> None:
        """Make the folder, out of reach of other users and of git."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = self.root / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")

    @property
    def tracking_db(self) -> Path:
        """MLflow's store for runs and the registry."""
        return self.root / "mlflow.db"

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.tracking_db}"

    @property
    def artifacts(self) -> Path:
        """Root of the runs' artifacts."""
        return self.root / "artifacts"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def models(self) -> Path:
        """Files of registered models, a folder by digest."""
        return self.root / "models"

    @property
    def data(self) -> Path:
        """Samples, and what is known of pinned data sets."""
        return self.root / "data"

    @property
    def endpoints(self) -> Path:
        return self.root / "endpoints"

    @property
    def environments(self) -> Path:
        return self.root / "environments"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.db"
