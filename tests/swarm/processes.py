"""What the kernel says of a container's processes, found from outside: the images have no shell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a container."""

    pid: int

    @property
    def status(self) -> dict[str, str]:
        """``/proc/<pid>/status``."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def number(self) -> int:
        """Its pid in the container."""
        return int(self.status["NSpid"].split()[-1])

    @property
    def mounts(self) -> dict[str, tuple[set[str], str, set[str]]]:
        """Mount point -> options, file system, options of the file system."""
        found = {}
        for line in Path(f"/proc/{self.pid}/mountinfo").read_text().splitlines():
            left, _, right = line.partition(" - ")
            point, options = left.split()[4:6]
            system, _, more = right.split(" ", 2)
            found[point] = set(options.split(",")), system, set(more.split(","))
        return found

    def limit(self, name: str) -> tuple[str, str]:
        """Soft and hard resource limit, such as of ``Max core file size``."""
        for line in Path(f"/proc/{self.pid}/limits").read_text().splitlines():
            if line.startswith(name):
                soft, hard, *_ = line.removeprefix(name).split()
                return soft, hard
        raise LookupError(name)

    def control(self, controller: str, file_v1: str, file_v2: str) -> str:
        """A value of its control group, in whichever version this machine has."""
        for line in Path(f"/proc/{self.pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            root = Path("/sys/fs/cgroup")
            if controller in controllers.split(","):
                return (root / controller / path.lstrip("/") / file_v1).read_text().strip()
            if not controllers and (file := root / path.lstrip("/") / file_v2).exists():
                return file.read_text().strip()
        raise LookupError(controller)


def of_container(container_id: str) -> list[Process]:
    """The processes of a container's program, the first of them first; not what is run in it for a moment, as a health
    check is, which may have ended before it is looked at.
    """
    found: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            if container_id in path.read_text():
                process = Process(int(path.parent.name))
                status = process.status
                if not status["State"].startswith("Z"):
                    found[process.pid] = process.number, int(status["PPid"])
        except (OSError, KeyError):
            continue  # it ended meanwhile
    own = [pid for pid, (number, _) in found.items() if number == 1]
    for parent in own:  # and theirs, as they are found
        own += sorted((pid for pid, (_, above) in found.items() if above == parent), key=found.__getitem__)
    return [Process(pid) for pid in sorted(own, key=found.__getitem__)]
