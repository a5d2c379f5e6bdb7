"""Users of a real registry: taken or refused at its door, and what it gives to one is nothing that another one sees."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.registry.addresses import Reach
from controller.registry.images import RegistryImages
from reconcilers.logins import Login
from reconcilers.outcomes import TerminalError, TransientError
from tests.labs import free_port
from tests.registry.engine import StandIn
from tests.registry.real import USER, RealRegistry

pytestmark = pytest.mark.anyio

REACH = Reach(allowed=("127.0.0.1:*",))


def user(registry: str) -> Login:
    return Login(registry, USER.username, USER.password)


@pytest.fixture
def images() -> RegistryImages:
    return RegistryImages(StandIn(), REACH)


async def test_the_right_password_is_taken_and_a_wrong_one_told_without_it(
    private: RealRegistry, images: RegistryImages
) -> None:
    right = user(private.host)
    assert await images.sign_in(right) is True
    for wrong in (replace(right, password="not-this-one"), replace(right, username="eve")):
        with pytest.raises(TerminalError) as refused:
            await images.sign_in(wrong)
        assert refused.value.reason == "LoginRefused"
        assert f"does not take the user {wrong.username}" in refused.value.message
        assert "skypanel registries set" in refused.value.message
        assert wrong.password not in refused.value.message
    assert USER.password not in repr(right)


async def test_a_registry_that_asks_for_nobody_says_so(registry: RealRegistry, images: RegistryImages) -> None:
    assert await images.sign_in(user(registry.host)) is False


async def test_a_registry_that_is_away_is_no_refusal(images: RegistryImages) -> None:
    with pytest.raises(TransientError) as away:
        await images.sign_in(user(f"127.0.0.1:{free_port()}"))
    assert away.value.reason == "RegistryUnavailable"


@pytest.mark.parametrize("by", ["tag", "digest"])
async def test_what_one_user_is_given_another_one_does_not_see(
    private: RealRegistry, images: RegistryImages, by: str
) -> None:
    found = private.push(f"secret-{by}", "1", {"Cmd": ["theirs"]})
    reference = f"{private.host}/secret-{by}" + (":1" if by == "tag" else f"@{found['digest']}")
    right = user(private.host)
    facts = await images.look_up(reference, "acme", right)
    assert facts.cmd == ("theirs",)
    for other in (None, replace(right, password="not-this-one")):
        with pytest.raises(TerminalError) as denied:
            await images.look_up(reference, "beta", other)
        assert denied.value.reason == "ImageDenied"
        assert ("the user ci" in denied.value.message) is (other is not None)
        assert "skypanel registries set" in denied.value.message
    assert await images.look_up(reference, "acme", right) == facts
