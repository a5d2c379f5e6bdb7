"""Every key that a Compose file may have: what it becomes, or why nothing does and what to do instead.

Keys of services are by their name; what is below one, by its names with dots between (``deploy.mode``). A key with a
``becomes`` and a ``why`` is carried over in part: whether all of it was, is told for each file. Keys that begin with
``x-`` are nobody's and passed over, as Compose does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Args:
        becomes: the field that it is written to; empty when there is none.
        why: why it is not carried over, or not all of it.
        instead: what to do; may be empty.
    """

    becomes: str = ""
    why: str = ""
    instead: str = ""


def _not(why: str, instead: str = "") -> Key:
    return Key("", why, instead)


_HOST = "a container gets nothing of its host"
_RIGHTS = "no container gets more rights than every other"
_PLACE = "the platform chooses the node"
_ROLLOUT = "the platform rolls out by rules of its own: health-gated, and back when it fails"
_SWARM_LIMITS = "limits are those of CPU, memory and processes"
_DNS = "names are resolved by the platform"
_IMAGE_TIME = "it belongs to the image"
_VOLUMES = "there are no volumes yet: what is written is lost with each task"
_CONFIG = "values are not written to a spec"
_LABELS = "of labels only Traefik's become something: its port, and rules that name hosts and nothing else"
_HOOKS = "nothing is run beside the program"

TOP_LEVEL: Mapping[str, Key] = {
    "services": Key("App and Environment"),
    "version": _not("it says nothing any more, here as in Compose"),
    "name": _not("a project is no object here: each service is an app by its own name"),
    "include": _not("files are not included", "give them as further FILEs"),
    "networks": Key(
        "nothing, where there is one: an organization has one network",
        "an organization has one network, on which all its apps reach each other",
        "use organizations to part them",
    ),
    "volumes": _not(_VOLUMES, "keep what must last outside, such as in a database or an object store"),
    "secrets": _not(_CONFIG, "set each as a config var with a file"),
    "configs": _not(_CONFIG, "put the file into the image, or set it as a config var with a file"),
    "models": _not("models are not run", "run one as an app of its own, and name its address"),
}
SERVICE: Mapping[str, Key] = {
    "annotations": _not("containers have the platform's labels only"),
    "attach": _not("nothing is attached to a terminal"),
    "blkio_config": _not(_SWARM_LIMITS),
    "build": _not("nothing is built yet", "build and push it, and give its name with --image SERVICE=IMAGE"),
    "cap_add": _not(_RIGHTS, "docs/containers.md shows what common images do without"),
    "cap_drop": Key("nothing: no container has any capability"),
    "cgroup": _not(_RIGHTS),
    "cgroup_parent": _not(_RIGHTS),
    "command": Key("Environment args"),
    "configs": _not(_CONFIG, "put the file into the image, or set it as a config var with a file"),
    "container_name": _not("a name belongs to the platform", "use the name below"),
    "cpu_count": _not(_SWARM_LIMITS, "set cpu"),
    "cpu_percent": _not(_SWARM_LIMITS, "set cpu"),
    "cpu_period": _not(_SWARM_LIMITS, "set cpu"),
    "cpu_quota": _not(_SWARM_LIMITS, "set cpu"),
    "cpu_rt_period": _not(_SWARM_LIMITS, "set cpu"),
    "cpu_rt_runtime": _not(_SWARM_LIMITS, "set cpu"),
    "cpu_shares": _not(_SWARM_LIMITS, "set cpu"),
    "cpus": Key("Environment cpu"),
    "cpuset": _not(_SWARM_LIMITS, "set cpu"),
    "credential_spec": _not("there are no Windows nodes"),
    "depends_on": Key(
        "Process release, of a program of the same image that has to end well",
        "apps start in any order",
        "let the program wait for what it needs, or end: it is started again",
    ),
    "deploy": Key("as its parts"),
    "deploy.endpoint_mode": _not("the platform spreads connections over the tasks"),
    "deploy.labels": Key("Domain", _LABELS, "declare a Domain for each host name"),
    "deploy.mode": _not("an environment has a number of replicas", "set replicas; a job that ends is no service"),
    "deploy.placement": _not(_PLACE),
    "deploy.replicas": Key("Environment replicas"),
    "deploy.resources": Key("as its parts"),
    "deploy.resources.limits": Key("as its parts"),
    "deploy.resources.limits.cpus": Key("Environment cpu"),
    "deploy.resources.limits.memory": Key("Environment memory"),
    "deploy.resources.limits.pids": _not("processes are limited by the plan", "choose a plan with such a limit"),
    "deploy.resources.reservations": _not("a share of the limits is reserved"),
    "deploy.restart_policy": Key("Environment restart", "a program that ends is started again, after two seconds",
                                 "a job that ends is no service"),
    "deploy.rollback_config": _not(_ROLLOUT),
    "deploy.update_config": _not(_ROLLOUT),
    "develop": _not("it is for the developer's machine"),
    "device_cgroup_rules": _not(_HOST),
    "devices": _not(_HOST),
    "dns": _not(_DNS),
    "dns_opt": _not(_DNS),
    "dns_search": _not(_DNS),
    "domainname": _not("a name belongs to the platform", "use the name below"),
    "entrypoint": Key("Environment command"),
    "env_file": _not(_CONFIG, "set them as config vars"),
    "environment": _not(_CONFIG, "set them as config vars"),
    "expose": Key("Environment port", "one port can be given to the edge; other apps reach all"),
    "extends": Key("what it extends, in the same file or in another"),
    "external_links": _not("apps reach each other by one name", "use the name below"),
    "extra_hosts": Key("Environment extraHosts"),
    "gpus": _not(_HOST),
    "group_add": _not("a task has the user and the group of runAs", "set runAs"),
    "healthcheck": Key("Environment healthcheck"),
    "healthcheck.disable": Key("Environment healthcheck: none"),
    "healthcheck.interval": Key("Environment healthcheck.interval"),
    "healthcheck.retries": Key("Environment healthcheck.retries"),
    "healthcheck.start_interval": Key("Environment healthcheck.startInterval"),
    "healthcheck.start_period": Key("Environment healthcheck.startPeriod"),
    "healthcheck.test": Key("Environment healthcheck.command"),
    "healthcheck.timeout": Key("Environment healthcheck.timeout"),
    "hostname": _not("a name belongs to the platform", "use the name below"),
    "image": Key("Environment image"),
    "init": Key("Environment init"),
    "ipc": _not(_RIGHTS),
    "isolation": _not("there are no Windows nodes"),
    "label_file": _not("labels are not set", "declare a Domain for each host name"),
    "labels": Key("Domain", _LABELS, "declare a Domain for each host name"),
    "links": _not("apps reach each other by one name", "use the name below"),
    "logging": _not("the node's logging driver keeps what is printed"),
    "mac_address": _not(_RIGHTS),
    "mem_limit": Key("Environment memory"),
    "mem_reservation": _not("half of the memory is reserved"),
    "mem_swappiness": _not(_SWARM_LIMITS),
    "memswap_limit": _not(_SWARM_LIMITS),
    "models": _not("models are not run", "run one as an app of its own, and name its address"),
    "network_mode": _not("a container has its organization's network, and no other"),
    "networks": Key("nothing: a container has its organization's network", "aliases and addresses are not given"),
    "oom_kill_disable": _not(_SWARM_LIMITS),
    "oom_score_adj": _not(_SWARM_LIMITS),
    "pid": _not(_RIGHTS),
    "pids_limit": _not("processes are limited by the plan", "choose a plan with such a limit"),
    "platform": _not(_PLACE, "give an image that has all architectures of the nodes"),
    "ports": Key("Environment port", "no port of a host is opened", "declare a Domain: it is the way in"),
    "post_start": _not(_HOOKS),
    "pre_stop": _not(_HOOKS, "let the program do it when it gets SIGTERM"),
    "privileged": _not(_RIGHTS),
    "profiles": _not("Compose does not start it by default, so it is not written", "leave profiles out to have it"),
    "provider": _not("it is run by another program", "name its address where it is used"),
    "pull_policy": _not(
        "a node pulls what it does not have", "name images by tags that do not move, or by digest, or set `follow`"
    ),
    "pull_refresh_after": _not("a node pulls what it does not have"),
    "read_only": Key("Environment readOnlyRootFilesystem"),
    "restart": Key("Environment restart", "what ends is started again, and always where it answers requests",
                   "a job that ends is no service"),
    "runtime": _not(_HOST),
    "scale": Key("Environment replicas"),
    "secrets": _not(_CONFIG, "set each as a config var with a file"),
    "security_opt": _not(_RIGHTS),
    "shm_size": _not("shared memory has the engine's size"),
    "stdin_open": _not("nothing is attached to a terminal"),
    "stop_grace_period": Key("Environment stopGracePeriod"),
    "stop_signal": Key("Environment stopSignal"),
    "storage_opt": _not(_HOST),
    "sysctls": Key("Environment sysctls", "only settings of a task's own network are given"),
    "tmpfs": Key("Environment tmpfs", "of options only the size is carried over"),
    "tty": _not("nothing is attached to a terminal"),
    "ulimits": Key("Environment ulimits", "only nofile and memlock are set, to the hard limit"),
    "use_api_socket": _not("no container reaches an engine"),
    "user": Key("Environment runAs, where it is numeric", "a name means whatever the image says", "set runAs"),
    "userns_mode": _not(_RIGHTS),
    "uts": _not(_RIGHTS),
    "volumes": Key("Environment tmpfs, where they are tmpfs", _VOLUMES, "keep what must last outside"),
    "volumes_from": _not(_VOLUMES),
    "working_dir": _not(_IMAGE_TIME, "set WORKDIR in the image, or begin the command with a cd"),
}  # fmt: skip
OF_HOST = _not(_HOST, "put files that are only read into the image")
"""A mount of a file or a folder of the host."""
