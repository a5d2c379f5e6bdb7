"""Requests to what is behind the edge, and what comes of them."""

from __future__ import annotations

import http.client
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

PAUSE_SECONDS = 0.01


@dataclass
class Load:
    """Requests on kept connections to every host in turn, until it is told to stop; what came of them, by host.

    GET and POST in turn. An answer with 200 counts as ``image N``, as the image of the lab names itself.

    Args:
        port: of the edge, on this machine.
        hosts: names that are asked for.
        paths: that are asked for, in turn.
        clients: that ask at once.
    """

    port: int
    hosts: Sequence[str]
    paths: Sequence[str] = ("/",)
    clients: int = 4
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(self.clients)]

    def _ask(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        turn = number * len(self.hosts) // self.clients  # so that they do not all ask the same one at once
        while not self._stop.wait(PAUSE_SECONDS):
            lap, place = divmod(turn, len(self.hosts))
            host = self.hosts[place]
            turn += 1
            try:
                path, method = self.paths[lap // 2 % len(self.paths)], ("GET", "POST")[(lap + place) % 2]
                connection.request(method, path, b"x" * 200 if method == "POST" else None, {"Host": host})
                answer = connection.getresponse()
                said = answer.read().decode()
                what = f"image {said.partition('image ')[2][:1]}" if answer.status == 200 else str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                what = type(error).__name__
                connection.close()
            self.outcomes[host][what] += 1
        connection.close()

    def goes_on(self, host: str, what: str) -> Callable[[], bool]:
        """Whether some more requests to ``host`` have come to this; says what else they come to."""
        before = self.outcomes[host].copy()

        def check() -> bool:
            if self.outcomes[host][what] > before[what] + 3:
                return True
            raise LookupError(f"{dict(self.outcomes[host] - before)}")

        return check

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()
