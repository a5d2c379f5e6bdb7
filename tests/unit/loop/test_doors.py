"""What is called beyond the Swarm: through one door, fenced, bounded, counted."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from controller.loop import doors
from controller.loop.doors import Doors
from controller.loop.ports import Lease, Store
from controller.loop.trace import Trace
from controller.records import Key
from reconcilers.outcomes import FencedError, NotReadyError, TransientError
from reconcilers.port import Port, calls, read, write

pytestmark = pytest.mark.anyio


class Bells(Port, name="bells"):
    """Rings."""

    @read
    async def ringing(self, place: str) -> bool:
        """Whether it rings."""
        raise NotImplementedError

    @write
    async def ring(self, place: str) -> str:
        """Ring it."""
        raise NotImplementedError


class Tower(Bells):
    """An adapter."""

    def __init__(self, error: Exception | None = None) -> None:
        self.rung: list[str] = []
        self._error = error

    async def ringing(self, place: str) -> bool:
        if self._error is not None:
            raise self._error
        return place in self.rung

    async def ring(self, place: str) -> str:
        if self._error is not None:
            raise self._error
        self.rung.append(place)
        return "ding"

    async def forever(self, _place: str) -> bool:
        await anyio.sleep_forever()
        return False


def opened(tower: Tower, *, leads: bool = True, uses: Any = (Bells,), asked: list[str] | None = None) -> Bells:
    async def affirm() -> None:
        if asked is not None:
            asked.append("lease")
        if not leads:
            raise FencedError

    trace = Trace(Key("thing", "1"), "id", (), 0.0, 1)
    return Doors("thing", uses, {Bells: tower}, affirm=affirm, trace=trace).open(Bells)


def test_a_method_that_says_neither_read_nor_write_is_refused_where_it_is_defined() -> None:
    with pytest.raises(TypeError, match="neither @read nor @write"):

        class Sloppy(Port, name="sloppy"):
            async def do(self) -> None:
                """Who knows."""


def test_a_port_has_a_name() -> None:
    with pytest.raises(TypeError, match="without a name"):

        class Nameless(Port):
            pass


@pytest.mark.parametrize("port", [Store, Lease])
def test_every_call_of_the_store_and_of_the_lease_says_whether_it_writes(port: type[Any]) -> None:
    assert "write" in calls(port).values()


async def test_a_write_asks_first_whether_this_process_leads() -> None:
    tower, asked = Tower(), list[str]()
    bells = opened(tower, asked=asked)
    assert not await bells.ringing("east")
    assert asked == []
    assert await bells.ring("east") == "ding"
    assert asked == ["lease"]
    assert await bells.ringing("east")


async def test_who_does_not_lead_writes_nothing() -> None:
    tower = Tower()
    with pytest.raises(FencedError):
        await opened(tower, leads=False).ring("east")
    assert tower.rung == []


async def test_what_a_port_did_not_foresee_is_an_outage_of_it_without_its_words() -> None:
    with pytest.raises(TransientError, match="bells: ringing: ValueError") as caught:
        await opened(Tower(ValueError("password=hunter2"))).ringing("east")
    assert "hunter2" not in caught.value.message


async def test_what_a_port_says_of_the_outcome_is_left_as_it_is() -> None:
    with pytest.raises(NotReadyError, match="not yet"):
        await opened(Tower(NotReadyError("Busy", "not yet"))).ring("east")


async def test_a_port_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "CALL_SECONDS", 0.01)
    tower = Tower()
    monkeypatch.setattr(tower, "ringing", tower.forever)
    with pytest.raises(TransientError, match="did not end within"):
        await opened(tower).ringing("east")


def test_a_port_that_the_kind_did_not_declare_is_not_opened() -> None:
    with pytest.raises(LookupError, match="does not declare it"):
        opened(Tower(), uses=())


def test_a_door_has_only_what_the_port_declares() -> None:
    with pytest.raises(AttributeError, match="no method 'forever'"):
        opened(Tower()).forever  # type: ignore[attr-defined] # noqa: B018 - asked for, not called
