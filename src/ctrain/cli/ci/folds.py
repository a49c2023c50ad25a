"""Which part of the CI's log a piece of news belongs to: one for each step of the plan."""

from __future__ import annotations

from dataclasses import dataclass

from ctrain import events
from ctrain.cli.ci.host import Host
from ctrain.flow.journal import News


@dataclass
class Folds:
    """Begins a fold as the news comes to another step, and ends the last one as the release comes to its end."""

    host: Host
    title: str = ""

    def hear(self, news: News) -> None:
        """Called before the news is shown."""
        if not isinstance(news, events.Event):
            return
        if isinstance(news.what, events.Opened | events.Closed):
            self.title = ""
            self.host.unfold()
            return
        title = title_of(news.what)
        if title and title != self.title:
            self.title = title
            self.host.fold(title)


def title_of(what: events.What) -> str:
    """The step that this is a part of."""
    match what:
        case events.Submitting() | events.Trained() | events.Extending():
            return "train"
        case events.Judged():
            return "gate"
        case events.Registering() | events.Registered():
            return "register"
        case events.Crowning() | events.Crowned():
            return "champion"
        case events.Approved():
            return ""
        case _:
            return getattr(what, "stage", "")
