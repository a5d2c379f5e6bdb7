"""The lab's wires: one switch namespace with a bridge, one veth pair a node. The host's namespace gets
nothing.

Every lab uses the same addresses, because no two labs share a namespace: the switch is 10.99.0.1, node i is
10.99.0.(10+i). A wire vanishes with either end, so plugging in again is all that a restart needs.
"""

from deploy.engine.sandbox import Sandbox, run

PREFIX = 24
SWITCH_ADDRESS = "10.99.0.1"
BRIDGE = "br0"


def node_address(index: int) -> str:
    """Address of node `index` (1-based) in its lab."""
    return f"10.99.0.{10 + index}"


def prepare_switch(switch: Sandbox) -> None:
    """Make the bridge, unless it exists."""
    if BRIDGE not in _links(switch):
        _batch(switch, "link set lo up", f"link add {BRIDGE} type bridge")
    _batch(switch, f"addr replace {SWITCH_ADDRESS}/{PREFIX} dev {BRIDGE}", f"link set {BRIDGE} up")


def plug(switch: Sandbox, node: Sandbox, index: int) -> None:
    """Join a node to the switch; harmless when it is already joined."""
    port = f"p{index}"
    if port not in _links(switch):
        _batch(switch, f"link add {port} type veth peer name eth0 netns {node.pid}")
    _batch(switch, f"link set {port} master {BRIDGE} up")
    _batch(
        node,
        "link set lo up",
        f"addr replace {node_address(index)}/{PREFIX} dev eth0",
        "link set eth0 up",
        f"route replace default via {SWITCH_ADDRESS}",
    )


def cut(switch: Sandbox, index: int) -> None:
    """Take the node's wire down at the switch: it runs on and hears nobody."""
    _batch(switch, f"link set p{index} down")


def heal(switch: Sandbox, index: int) -> None:
    """Put the node's wire up again."""
    _batch(switch, f"link set p{index} up")


def _links(sandbox: Sandbox) -> set[str]:
    listing = run(sandbox.network_command("ip", "-brief", "link"))
    return {line.split()[0].split("@")[0] for line in listing.splitlines() if line.strip()}


def _batch(sandbox: Sandbox, *lines: str) -> None:
    run(sandbox.network_command("ip", "-batch", "-"), stdin="\n".join(lines) + "\n")
