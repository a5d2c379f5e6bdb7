"""What the API does with services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.sim.swarm import addresses
from tests.sim.swarm.base import Refusal, invalid
from tests.sim.swarm.behaviour import Pace
from tests.sim.swarm.checks import check_service, version_of
from tests.sim.swarm.objects import RUNNING, Document, Service
from tests.sim.swarm.orchestrator import Orchestrator
from tests.sim.swarm.store import Store
from tests.sim.swarm.stored import stored_service


@dataclass(slots=True)
class Services:
    """Create, update, remove."""

    store: Store
    orchestrator: Orchestrator
    pace: Pace

    def create(self, written: Document, pull: str = "") -> tuple[Document, Service]:
        """POST /services/create."""
        spec = self._resolved(stored_service(written))
        spec.setdefault("Name", f"nameless_{self.store.index}")
        check_service(spec)
        self._check_ports(spec, None)
        self._check_contents(spec)
        if any(s.name.lower() == spec["Name"].lower() for s in self.store.services.values()):
            raise Refusal(
                409,
                "rpc error: code = AlreadyExists desc = name conflicts with an existing object: service "
                f"{spec['Name']} already exists",
            )
        service = Service(self.store.meta("service"), spec)
        service.spec_version = service.meta.version - 1
        service.pulls[service.spec_version] = pull
        service.executed = self.store.agenda.stamp()
        self.store.services[service.meta.id] = service
        self.store.tell("service", "create", service.meta.id, service.name)
        self.store.agenda.at(self.pace.allocate / 2, lambda: self._allocate(service))
        self.orchestrator.look_soon(service)
        return {"ID": service.meta.id, "Warnings": None}, service

    def update(
        self, asked: str, query: Mapping[str, Any], written: Document, pull: str = ""
    ) -> tuple[Document, Service]:
        """POST /services/{id}/update."""
        version = version_of(query, "service")
        spec = stored_service(written)
        service = self.store.service(asked)
        spec = self._resolved(spec)
        check_service(spec)
        if spec.get("EndpointSpec") != service.spec.get("EndpointSpec"):
            self._check_ports(spec, service)
        self._check_contents(spec)
        if spec["Mode"].keys() != service.spec["Mode"].keys():
            raise Refusal(501, "rpc error: code = Unimplemented desc = service mode change is not allowed")
        if spec["Name"] != service.name:
            raise Refusal(501, "rpc error: code = Unimplemented desc = renaming services is not supported")
        before = service.replicas, service.status
        back = query.get("rollback") == "previous"
        if back and service.previous is None:
            text = f"service {service.meta.id} does not have a previous spec"
            raise Refusal(400, f"rpc error: code = FailedPrecondition desc = {text}")
        if query.get("registryAuthFrom") == "previous-spec" and service.previous is None:
            raise Refusal(500, "service does not have a previous spec")
        self.store.swap(service.meta, version)
        service.iteration, service.executed = service.iteration + 1, self.store.agenda.stamp()
        now = service.spec, service.spec_version
        if back and service.previous is not None:
            service.spec, service.spec_version = service.previous
            service.status = {
                "State": "rollback_started",
                "StartedAt": self.store.agenda.stamp(),
                "Message": "manually requested rollback",
            }
        else:
            service.pulls[version] = pull or service.pulls.get(service.spec_version, "")
            service.spec, service.spec_version = spec, version
            service.status = None
        service.previous = now
        self.store.update_service(service, before=before)
        if now[0].get("EndpointSpec") != service.spec.get("EndpointSpec"):
            self.store.agenda.at(self.pace.allocate / 2, lambda: self._allocate(service))
        self.orchestrator.look_soon(service)
        return {"Warnings": None}, service

    def remove(self, asked: str) -> Service:
        """DELETE /services/{id}."""
        service = self.store.service(asked)
        self.store.index += 1
        del self.store.services[service.meta.id]
        service.removed = True
        for network in self.store.networks.values():
            network.addresses.pop(service.meta.id, None)
        self.store.tell("service", "remove", service.meta.id, service.name)
        self.orchestrator.removed(service)
        return service

    def _allocate(self, service: Service) -> None:
        """Give the service its virtual addresses; the manager changes the service itself for that."""
        if service.removed:
            return
        endpoint = service.spec.get("EndpointSpec")
        ports = (endpoint or {}).get("Ports") or []
        wanted = [each["Target"] for each in service.spec["TaskTemplate"].get("Networks") or ()]
        if any(port["PublishMode"] == "ingress" for port in ports):
            wanted.append(next(n.meta.id for n in self.store.networks.values() if n.ingress))
        found: Document = {"Spec": endpoint or {}}
        if ports:
            found["Ports"] = ports
        if (endpoint or {}).get("Mode", "vip") == "vip" and wanted:
            found = {"Spec": endpoint or {"Mode": "vip"}, **found, "VirtualIPs": self._addresses(service, wanted)}
        elif not ports and service.endpoint == {"Spec": {}}:
            return
        if found != service.endpoint:
            service.endpoint = found
            self.store.touch(service.meta)
            self.store.update_service(service, before=(service.replicas, service.status))

    def _addresses(self, service: Service, networks: list[str]) -> list[Document]:
        found = []
        for network_id in networks:
            network = self.store.networks.get(network_id)
            if network is None or not network.driver:
                continue
            address = network.addresses.get(service.meta.id)
            if address is None and addresses.room(network):
                address = addresses.take(network, service.meta.id)
            if address:
                prefix = network.subnet.partition("/")[2]
                found.append({"NetworkID": network_id, "Addr": f"{address}/{prefix}"})
        return found

    def _resolved(self, spec: Document) -> Document:
        """With ids for the names of networks."""
        attachments = spec["TaskTemplate"].get("Networks")
        if attachments:
            spec["TaskTemplate"]["Networks"] = [
                {**each, "Target": self.store.network(each.get("Target", ""), status=500).meta.id}
                for each in attachments
            ]
        return spec

    def _check_contents(self, spec: Document) -> None:
        container = spec["TaskTemplate"]["ContainerSpec"]
        for kind, what, table in (
            ("Secrets", "secret", self.store.secrets),
            ("Configs", "config", self.store.configs),
        ):
            for reference in container.get(kind) or ():
                name = reference[f"{what.capitalize()}Name"]
                found = table.get(reference[f"{what.capitalize()}ID"])
                if found is None or found.name != name:
                    raise invalid(f"{what} not found: {name}")

    def _check_ports(self, spec: Document, own: Service | None) -> None:
        wanted = _ingress_ports(spec)
        for other in self.store.services.values() if wanted else ():
            for port in wanted & _ingress_ports(other.spec) if other is not own else ():
                raise invalid(
                    f"port '{port[1]}' is already in use by service '{other.name}' ({other.meta.id}) as an ingress port"
                )


def _ingress_ports(spec: Document) -> set[tuple[str, int]]:
    ports = (spec.get("EndpointSpec") or {}).get("Ports") or ()
    return {
        (port["Protocol"], port["PublishedPort"])
        for port in ports
        if port["PublishMode"] == "ingress" and port.get("PublishedPort")
    }


def task_counts(store: Store, service: Service) -> Document:
    """What ``GET /services?status=true`` adds."""
    tasks = store.tasks_of(service)
    if service.is_job:
        tasks = [t for t in tasks if t.iteration == service.iteration]
        most = (service.spec["Mode"].get("ReplicatedJob") or {}).get("MaxConcurrent")
        return {
            "RunningTasks": sum(t.state == "running" for t in tasks),
            "DesiredTasks": sum(t.state != "complete" == t.desired for t in tasks) if most is None else most,
            "CompletedTasks": sum(t.state == "complete" for t in tasks),
        }
    running = sum(t.state == "running" for t in tasks)
    desired = service.replicas
    if desired is None:
        desired = sum(t.wanted_rank == RUNNING for t in tasks)
    return {"RunningTasks": running, "DesiredTasks": desired, "CompletedTasks": 0}
