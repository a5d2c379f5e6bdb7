"""What every adapter of a port with things must do: the simulated one, and a real one against a real end.

python -m tests.conformance.things acme_mail.reconciler:HttpPostmaster    # settings from the environment
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module

import anyio

from reconcilers.port import Place, Things

DOCUMENT, OTHER = {"organization": "acme"}, {"organization": "beta"}


async def conform(adapter: Things) -> None:
    """Fail at the first answer that is not as it must be; the adapter has nothing yet, and has nothing afterwards."""
    assert await adapter.observe("a.example") is None, "what was never made is there"
    await adapter.remove("a.example")
    made = await adapter.create("a.example", DOCUMENT, "one")
    assert made.hash == "one", "the digest of what was made is not kept"
    assert made.id, "what was made has no id"
    assert await adapter.observe("a.example") == made, "what was made is observed as something else"
    assert await adapter.create("a.example", OTHER, "two") == made, "a create changed what was there"
    assert await adapter.observe("b.example") is None, "another name has it too"
    assert await adapter.create("a.example", DOCUMENT, "one") == made, "the same again made another one"
    changed = await adapter.update("a.example", OTHER, "two")
    assert (changed.id, changed.hash) == (made.id, "two"), "an update made another one, or kept the old digest"
    assert await adapter.observe("a.example") == changed, "what was changed is observed as something else"
    await adapter.create("b.example", DOCUMENT, "one")
    await adapter.remove("a.example")
    assert await adapter.observe("a.example") is None, "what was removed is there"
    assert await adapter.observe("b.example") is not None, "a removal took another one with it"
    await adapter.remove("b.example")


def main(name: str) -> None:
    """Check the adapter ``module:factory``, made from this process's environment."""
    module, _, factory = name.partition(":")
    made: Callable[[Place], Things] = getattr(import_module(module), factory)
    anyio.run(conform, made(Place("conformance", os.environ, lambda: None)))


if __name__ == "__main__":
    main(sys.argv[1])
