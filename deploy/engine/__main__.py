"""`python -m deploy.engine`: private Docker Engines in Swarm mode, side by side by name.

up NAME --load web,traefik --forward 8080:80     bring one up, or mend it
status                                           what there is
stop | start | kill NAME --node 2                one engine of it, as a test of a restart or a crash
cut | heal NAME --node 2                         the wire of a node
down NAME                                        end and remove it
images                                           build what is not yet in the cache
"""

import argparse
import json
import sys
import time
from typing import Any

from deploy import traefik
from deploy.engine import existing, images, lab
from deploy.engine.errors import LabError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 could not, 2 bad usage."""
    options = _parser().parse_args(arguments)
    try:
        result = options.run(options)
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"error: {error}: the lab needs root", file=sys.stderr)
        return 1
    if getattr(options, "json", False):
        print(json.dumps(result, indent=2))
    else:
        for line in _lines(result):
            print(line)
    return 0


def _up(options: argparse.Namespace) -> dict[str, Any]:
    if options.use_existing:
        api = existing.use(options.load)
        return {"name": options.name, "state": "existing", "docker_host": f"unix://{api.path}"}
    begun = time.monotonic()
    running = lab.up(
        options.name,
        nodes=options.nodes,
        managers=options.managers,
        suite=options.suite,
        images=options.load,
        forwards=options.forward,
    )
    return {**_describe(running), "seconds": round(time.monotonic() - begun, 2)}


def _down(options: argparse.Namespace) -> list[Any]:
    lab.down(options.name)
    return []


def _status(options: argparse.Namespace) -> list[dict[str, Any]]:
    chosen = [options.name] if options.name else lab.names()
    found = {name: lab.find(name) for name in chosen}
    return [_describe(one) if one else {"name": name, "state": "down"} for name, one in found.items()]


def _engine(options: argparse.Namespace) -> dict[str, Any]:
    with lab.locked(options.name):
        running = lab.require(options.name)
        node = _node(running, options.node)
        match options.command:
            case "stop":
                node.daemon.stop()
            case "kill":
                node.daemon.kill()
            case "start":
                node.daemon.start()
                node.daemon.wait()
    return _describe(running)


def _edge(options: argparse.Namespace) -> dict[str, Any]:
    running = lab.up(options.name, images=["traefik", "socket-proxy"])
    return {"name": running.name, "written": traefik.deploy(running.api())}


def _wire(options: argparse.Namespace) -> dict[str, Any]:
    running = lab.require(options.name)
    node = _node(running, options.node)
    (running.cut if options.command == "cut" else running.heal)(node.index)
    return _describe(running)


def _images(options: argparse.Namespace) -> list[dict[str, Any]]:
    chosen = options.load or [name for name, recipe in images.recipes().items() if options.long or not recipe.long]
    return [
        {
            "image": image.reference,
            "id": image.id[7:19],
            "origin": image.origin,
            "megabytes": image.tar.stat().st_size >> 20,
        }
        for image in images.load(chosen)
    ]


def _node(running: lab.Lab, index: int) -> lab.Node:
    if not 1 <= index <= len(running.nodes):
        raise LabError(f"--node {index}: the lab {running.name!r} has nodes 1 to {len(running.nodes)}")
    return running.nodes[index - 1]


def _describe(running: lab.Lab) -> dict[str, Any]:
    nodes = []
    for node in running.nodes:
        entry = {"node": node.index, "docker_host": node.docker_host, "state": "stopped"}
        try:
            version = node.api().get("/version")
            entry |= {"state": "running", "engine": version["Version"], "api": version["ApiVersion"]}
        except LabError:
            pass
        nodes.append(entry)
    state = "up" if all(node["state"] == "running" for node in nodes) else "degraded"
    return {
        "name": running.name,
        "state": state,
        "docker_host": running.docker_host,
        "forwards": list(running.description.forwards),
        "nodes": nodes,
    }


def _lines(result: Any) -> list[str]:
    """A result as lines for a person."""
    if isinstance(result, dict):
        nested = [line for node in result.get("nodes", []) for line in (f"  {_pairs(node)}",)]
        return [_pairs({name: value for name, value in result.items() if name != "nodes"}), *nested]
    return [line for entry in result for line in _lines(entry)]


def _pairs(entry: dict[str, Any]) -> str:
    texts = {name: ",".join(value) if isinstance(value, list) else value for name, value in entry.items()}
    return "  ".join(f"{name}={value}" for name, value in texts.items() if value != "")


def _listed(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.engine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Any, help_: str, *, named: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help_, description=help_)
        sub.set_defaults(run=run)
        sub.add_argument("--json", action="store_true", help="print JSON")
        if named:
            sub.add_argument("name", metavar="NAME", help="the lab's name")
        return sub

    up = command("up", _up, "bring a lab up, or mend it; what is not given stays as it was")
    up.add_argument("--nodes", type=int, metavar="N", help="how many nodes (1)")
    up.add_argument("--managers", type=int, metavar="M", help="how many of them are managers (1)")
    up.add_argument("--suite", metavar="SUITE", help="Debian suite whose engine is used (trixie)")
    up.add_argument("--load", type=_listed, default=[], metavar="IMAGES", help="images to load, such as web,traefik")
    up.add_argument(
        "--forward",
        action="append",
        default=[],
        metavar="[ADDRESS:]PORT:NODEPORT",
        help="lead a host port to node 1",
    )
    up.add_argument(
        "--use-existing", action="store_true", help="use the engine of DOCKER_HOST or of this machine instead"
    )
    command("down", _down, "end and remove a lab")
    status = command("status", _status, "what there is", named=False)
    status.add_argument("name", nargs="?", metavar="NAME", help="only this lab")
    for name, run, help_ in (
        ("stop", _engine, "end an engine as a service manager would"),
        ("start", _engine, "start an engine again"),
        ("kill", _engine, "SIGKILL an engine; its containers go on"),
        ("cut", _wire, "cut a node off from the others"),
        ("heal", _wire, "end the cut"),
    ):
        command(name, run, help_).add_argument("--node", type=int, default=1, metavar="I", help="which node (1)")
    command("edge", _edge, "deploy Traefik as the service skypanel-edge")
    built = command("images", _images, "build or fetch images that are not in the cache", named=False)
    built.add_argument("--load", type=_listed, default=[], metavar="IMAGES", help="only these")
    built.add_argument("--long", action="store_true", help="also those that only what takes long uses")
    return parser


if __name__ == "__main__":
    sys.exit(main())
