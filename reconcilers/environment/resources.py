"""What a task may use and what a node must have free for it: ``TaskTemplate.Resources``."""

from __future__ import annotations

from reconcilers.objects import SpecDocument
from specs.snapshots import EnvironmentSnapshot

DEFAULT_CPU_CORES = 0.5
DEFAULT_MEMORY_MB = 256
RESERVED_SHARE_CPU = 0.1
RESERVED_SHARE_MEMORY = 0.5


def resources(snapshot: EnvironmentSnapshot) -> SpecDocument:
    """Limits as declared or by default; of them a share is reserved."""
    limits = snapshot.resources
    cores = float(limits.cpu_cores) if limits.cpu_cores is not None else DEFAULT_CPU_CORES
    memory_mb = limits.memory_mb if limits.memory_mb is not None else DEFAULT_MEMORY_MB
    nano_cpus, memory_bytes = round(cores * 1e9), memory_mb * 1024 * 1024
    return {
        "Limits": {
            "NanoCPUs": nano_cpus,
            "MemoryBytes": memory_bytes,
            "Pids": limits.pids,
        },
        "Reservations": {
            "NanoCPUs": max(1_000_000, round(nano_cpus * RESERVED_SHARE_CPU)),
            "MemoryBytes": max(4 * 1024 * 1024, round(memory_bytes * RESERVED_SHARE_MEMORY)),
        },
    }
