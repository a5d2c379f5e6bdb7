"""Settings, from the environment and a file that is named; names that the panel's ``.env.example`` fixed are kept.

No file is read unasked: a ``.env`` in the folder where somebody runs a command, a tenant's checkout for instance, would
say which database gets his password and which engine his orders.

The project's own names start with ``SKYPANEL_``. Passwords and keys are ``SecretStr``: they never appear in a
``repr``, a log line or ``doctor``.
"""

from __future__ import annotations

import atexit
import base64
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from controller.access.signing_secret import fault
from controller.kit.expected import ExpectedError
from controller.loop.config import LoopConfig
from controller.registry.mirror_settings import Mirror, read_mirrors
from controller.vault.keyring import Keyring
from controller.vault.vault import Vault
from reconcilers.options import Options
from specs.image_policies import ImagePolicy, keys_in
from specs.names import check_hostname, is_near
from specs.vulnerabilities import DAYS, SEVERITIES, VulnerabilityLimits, WithoutReport

if TYPE_CHECKING:
    from docker.tls import TLSConfig

DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_ENGINE_SCHEMES = ("unix", "tcp", "ssh", "http", "https", "http+unix")
_LONGEST_ISSUER = 512
_HOST = re.compile(r"[\w.:%\[\]-]*")


class Settings(BaseModel):
    """Everything that can be set; the field's description says the environment variable's meaning and unit."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="PostgreSQL connection string of the role that this process works as.",
    )

    docker_host: str = Field(default="", description="Engine of a Swarm manager: unix://, tcp:// or ssh://.")
    docker_manager_host: str = Field(default="", description="Host of the manager's TLS port, as the panel names it.")
    docker_manager_port: int = Field(default=2376, description="Port beside DOCKER_MANAGER_HOST.")
    docker_tls_verify: bool = Field(default=True, description="Check the manager's certificate.")
    docker_tls_ca_file: Path | None = Field(default=None, description="CA certificate file.")
    docker_tls_cert_file: Path | None = Field(default=None, description="Client certificate file.")
    docker_tls_key_file: Path | None = Field(default=None, description="Client key file.")
    docker_tls_ca_b64: SecretStr = Field(default=SecretStr(""), description="CA certificate, base64.")
    docker_tls_cert_b64: SecretStr = Field(default=SecretStr(""), description="Client certificate, base64.")
    docker_tls_key_b64: SecretStr = Field(default=SecretStr(""), description="Client key, base64.")

    skypanel_installation: str = Field(
        default="skypanel",
        pattern=r"^[a-z0-9][a-z0-9-]{0,30}$",
        description="Name of this installation; objects of another one on the same Swarm are not touched.",
    )
    skypanel_listen: str = Field(
        default="127.0.0.1:9470", description="host:port of /metrics, /healthz, /readyz, /debug."
    )
    skypanel_api_database_url: SecretStr = Field(
        default=SecretStr(""),
        description="PostgreSQL connection string that the HTTP API works with: of a login that has skypanel_api.",
    )
    skypanel_serve_api: bool = Field(
        default=True, description="`skypanel up` runs the HTTP API, too, as a process beside it."
    )
    skypanel_api_listen: str = Field(default="127.0.0.1:9480", description="host:port of the HTTP API.")
    skypanel_api_socket: Path | None = Field(
        default=None,
        description="Socket that the API listens on as well, for a proxy on the same machine: who connects there is "
        "believed who the client is.",
    )
    skypanel_api_host: str = Field(
        default="",
        description="Host name of the API behind the edge, such as api.example.com: no environment gets it.",
    )
    skypanel_api_trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        default=(),
        description="Networks of proxies before the API, 10.0.0.0/8 or one address, separated by commas: what they say "
        "of the client (X-Forwarded-For, X-Forwarded-Proto) is believed. Empty: nobody.",
    )
    skypanel_api_connections: int = Field(
        default=16,
        ge=2,
        le=64,
        description="Database connections of the API, and so requests that it works on at once.",
    )
    skypanel_api_body_bytes: int = Field(
        default=1_048_576, ge=1024, le=67_108_864, description="Largest body that the API reads."
    )
    skypanel_api_requests_per_minute: int = Field(
        default=1200,
        ge=0,
        description="Requests a minute that the API takes of one token, a quarter of them at once; 0: any number.",
    )
    skypanel_api_streams: int = Field(default=2000, ge=0, description="Streams that one API process serves at once.")
    skypanel_api_streams_per_caller: int = Field(
        default=100, ge=1, description="Streams that one API process serves to one user or token at once."
    )
    skypanel_console_origin: str = Field(
        default="",
        description="Origin of the console's pages, https://console.example.com, where the API has to be reached below "
        "/api, too. Its pages may have a session by a cookie then, and no environment gets that host, nor one above "
        "or below it. Empty: no cookie is taken.",
    )
    paas_base_domain: str = Field(
        default="",
        description="Domain below which tenants' environments are, as the panel names it: the console's host may be "
        "neither it, nor above or below it.",
    )
    skypanel_hints: bool = Field(
        default=True,
        description="Listen to notifications and engine events; without, only timers find changes.",
    )
    skypanel_resync_seconds: float = Field(default=300.0, gt=0, description="Period of the full comparison, jittered.")
    skypanel_poll_seconds: float = Field(
        default=5.0, gt=0, description="Period of reading the change log without hints."
    )
    skypanel_task_poll_seconds: float = Field(default=5.0, gt=0, description="Period of counting running tasks.")
    skypanel_lease_seconds: float = Field(default=10.0, ge=1, description="How long the lease outlives its holder.")
    skypanel_max_rollouts: int = Field(
        default=32, ge=0, description="Objects that start or replace tasks at once; 0: any number."
    )
    skypanel_drain_seconds: float = Field(default=25.0, gt=0, description="Time for running reconciles after SIGTERM.")
    skypanel_reconcile_timeout_seconds: float = Field(
        default=120.0, gt=0, description="A reconcile that takes longer is cut off between two calls, and tried again."
    )
    skypanel_docker_connections: int = Field(default=32, ge=2, le=64, description="Engine calls at once.")
    skypanel_database_connections: int = Field(default=6, ge=2, le=64, description="Database connections.")
    skypanel_subnet_pool: IPv4Network = Field(
        default=IPv4Network("10.64.0.0/12"), description="CIDR that organizations' networks are cut from."
    )
    skypanel_subnet_quarantine_seconds: float = Field(
        default=600.0,
        ge=0,
        description=(
            "How long a freed subnet is kept from other organizations. Longer than the edge keeps idle connections"
            " (Traefik: 90 s), or requests of the next owner are lost on connections to tasks of the last one."
        ),
    )
    skypanel_retention_days: int = Field(
        default=30, ge=1, description="How long deleted rows are kept after their removal is done."
    )
    skypanel_audit_days: int = Field(default=365, ge=1, description="How long entries of the audit are kept.")
    skypanel_gc_fuse_share: float = Field(
        default=0.25, ge=0, le=1, description="Share of live objects that may become unwanted without a confirmation."
    )
    skypanel_gc_fuse_minimum: int = Field(
        default=10, ge=0, description="Unwanted objects up to this number are removed without a confirmation."
    )
    skypanel_pin_image: str = Field(
        default="rancher/mirrored-pause:3.10", description="Image whose entry point sleeps until SIGTERM."
    )
    skypanel_require_userns: bool = Field(
        default=False,
        description="Tenants' tasks run only on nodes with the label io.skypanel.userns=true, whose engine has "
        "userns-remap.",
    )
    skypanel_require_run_as: bool = Field(
        default=False,
        description="Every environment says which user it runs as; the image's own word, which may be root, is not "
        "enough.",
    )
    skypanel_allowed_registries: tuple[str, ...] = Field(
        default=(),
        description="Registries on private hosts that images may come from, host:port, separated by commas; * stands "
        "for any characters.",
    )
    caas_allowed_registries: tuple[str, ...] = Field(
        default=(),
        description="Registries that images may come from, docker.io for Docker Hub, separated by commas; * stands for "
        "any characters. Empty: any. As those below, it counts beside each organization's own image policy.",
    )
    caas_allowed_patterns: tuple[str, ...] = Field(
        default=(),
        description="Patterns of images, one of which has to fit, such as docker.io/library/*; empty: any image.",
    )
    caas_blocked_patterns: tuple[str, ...] = Field(
        default=(), description="Patterns of images that are not run, such as *:latest."
    )
    caas_require_image_digest: bool = Field(default=False, description="An image has to name its digest.")
    caas_require_signed: bool = Field(
        default=False, description="One of the keys of CAAS_SIGNATURE_KEY_FILE has to have signed an image."
    )
    caas_signature_key_file: Path | None = Field(
        default=None, description="File with public keys in PEM, ECDSA on P-256, one after the other."
    )
    caas_max_critical: int | None = Field(
        default=None,
        ge=0,
        description="Critical vulnerabilities that an image may have by its newest report. With none of the five set, "
        "no report is asked for.",
    )
    caas_max_high: int | None = Field(default=None, ge=0, description="High ones.")
    caas_max_medium: int | None = Field(default=None, ge=0, description="Medium ones.")
    caas_max_low: int | None = Field(default=None, ge=0, description="Low ones.")
    caas_max_unknown: int | None = Field(default=None, ge=0, description="Those without a severity.")
    caas_only_fixable: bool = Field(
        default=False, description="Those count that a newer version of their package has not."
    )
    caas_report_max_age_days: int = Field(
        default=7, ge=1, le=DAYS, description="A vulnerability report that is older says nothing good any more."
    )
    caas_without_report: WithoutReport = Field(
        default="wait",
        description="What becomes of a new image without a current report: it waits for one (wait), refuse, or allow.",
    )
    caas_image_enforcement: Literal["audit", "new", "all"] = Field(
        default="new",
        description="What violates these is said (audit), refused where new (new), stopped where it runs, too (all).",
    )
    skypanel_insecure_registries: tuple[str, ...] = Field(
        default=(),
        description="Registries that may be asked without TLS, or with a certificate that nobody vouches for, "
        "host:port, separated by commas; * stands for any characters. Those of this host may be.",
    )
    skypanel_registry_mirrors: tuple[str, ...] = Field(
        default=(),
        description="Who is asked before a registry, docker.io=https://mirror.example.com, separated by commas and in "
        "that order; as nobody, and on whatever host.",
    )
    skypanel_source_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts of git repositories that may be private or without TLS, host:port, separated by commas; * "
        "stands for any characters. All others have public addresses, and TLS.",
    )
    skypanel_source_root: Path | None = Field(
        default=None,
        description="Folder with one folder an organization, named as its slug, whose files a source may declare.",
    )
    skypanel_edge_entrypoints: tuple[str, ...] = Field(
        default=("web",), description="Traefik entry points of the routers, separated by commas."
    )
    skypanel_edge_cert_resolver: str = Field(default="", description="Traefik certificate resolver; empty: no TLS.")
    skypanel_edge_api_url: SecretStr = Field(
        default=SecretStr(""),
        description="Traefik's API, http://user:password@host:port, to ask whether it took a route; empty: not asked.",
    )
    skypanel_key_file: Path | None = Field(
        default=None,
        description="File with the keys that open config vars, one a line, the current one first; `skypanel keys "
        "generate` makes them. Others must not be able to read it.",
    )
    skypanel_keys: SecretStr = Field(
        default=SecretStr(""), description="The same in place of a file, or after it; separated by commas."
    )
    ssh_cred_secret: SecretStr = Field(
        default=SecretStr(""), description="The panel's secret, to open what it encrypted itself, as the panel has it."
    )
    jwt_secret: SecretStr = Field(
        default=SecretStr(""),
        description="What the panel signs its tokens with, as the panel has it, 32 bytes or more. There is no default: "
        "without it no token of the panel is taken.",
    )
    skypanel_oidc_issuers: tuple[str, ...] = Field(
        default=(),
        description="OpenID Connect issuers whose tokens the HTTP API takes, separated by commas, spelled as in the "
        "tokens: https://id.example.com. Role bindings say what their tokens may.",
    )
    skypanel_oidc_audience: str = Field(
        default="",
        max_length=255,
        description="Whom these tokens have to be for: the address of the HTTP API, https://api.example.com.",
    )
    skypanel_rollout_monitor_seconds: float = Field(
        default=5.0, gt=0, description="How long Swarm watches a new task before it goes on."
    )
    skypanel_min_ready_seconds: float = Field(
        default=5.0, ge=0, description="How long tasks must have stayed up before they are called ready."
    )
    skypanel_progress_deadline_seconds: float = Field(
        default=120.0, gt=0, description="A rollout that takes longer is reported."
    )
    skypanel_release_command_seconds: float = Field(
        default=3600.0, gt=0, description="A release command that has not ended by then is stopped, and has failed."
    )
    skypanel_edge_settle_seconds: float = Field(
        default=20.0,
        gt=0,
        description="Time after which the edge has certainly applied a change of routes: its refresh and its throttle.",
    )
    skypanel_log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="`auto`: colours on a terminal, JSON otherwise."
    )
    skypanel_log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lines of the log that matter less are left out."
    )

    @field_validator(
        "skypanel_edge_entrypoints",
        "skypanel_allowed_registries",
        "skypanel_insecure_registries",
        "skypanel_registry_mirrors",
        "skypanel_source_hosts",
        "skypanel_api_trusted_proxies",
        "skypanel_oidc_issuers",
        "caas_allowed_registries",
        "caas_allowed_patterns",
        "caas_blocked_patterns",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("skypanel_registry_mirrors")
    @classmethod
    def _are_mirrors(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        read_mirrors(value)
        return value

    @field_validator("skypanel_oidc_issuers")
    @classmethod
    def _are_issuers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for issuer in value:
            try:
                parts = urlsplit(issuer)
                local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
                usable = (parts.scheme == "https" or local) and bool(parts.hostname) and parts.port != 0
            except ValueError:
                usable = False
            plain = issuer.isascii() and issuer.isprintable() and not any(mark in issuer for mark in "?#@ ")
            if not usable or not plain or len(issuer) > _LONGEST_ISSUER:
                raise ValueError("each must be https://host/path, as the tokens of the issuer spell it in `iss`")
        return value

    @field_validator("jwt_secret")
    @classmethod
    def _is_a_secret(cls, value: SecretStr) -> SecretStr:
        wrong = fault(value.get_secret_value()) if value.get_secret_value() else ""
        if wrong:
            raise ValueError(wrong)
        return value

    @field_validator("docker_host")
    @classmethod
    def _is_an_engine(cls, value: str) -> str:
        """Refused here is what the client would refuse by itself (``docker.utils.parse_host``), and repeat."""
        try:
            parts = urlsplit(value if "://" in value else f"tcp://{value}")
            local = parts.scheme in ("unix", "http+unix")
            place = local or (
                _HOST.fullmatch(parts.netloc.rpartition("@")[2]) and (parts.port or parts.scheme == "ssh")
            )
            usable = place and parts.scheme in _ENGINE_SCHEMES and not (parts.password or parts.query or parts.fragment)
        except ValueError:
            usable = False
        if value and not usable:
            raise ValueError(
                "it must be unix:///path, tcp://host:port or ssh://user@host, without a password or a query"
            )
        return value

    @field_validator("skypanel_console_origin")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        if not value:
            return value
        wrong = "it must be https://host, as a browser names the console's pages: lower case, without a path"
        try:
            parts = urlsplit(value)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError(wrong) from None
        usual = {"https": 443, "http": 80}.get(parts.scheme)
        plain = f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")
        local = parts.scheme == "http" and host == "localhost"
        if value != plain or port in (0, usual) or not (parts.scheme == "https" or local):
            raise ValueError(wrong)
        if host != "localhost":
            check_hostname(host)
        return value

    @field_validator("skypanel_api_host", "paas_base_domain")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        return check_hostname(value) if value else value

    @field_validator("docker_manager_host")
    @classmethod
    def _is_a_host(cls, value: str) -> str:
        if not _HOST.fullmatch(value):
            raise ValueError("it must be a host alone, such as manager.example.com")
        return value

    @field_validator("skypanel_edge_api_url")
    @classmethod
    def _is_an_address(cls, value: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(value.get_secret_value())
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if value.get_secret_value() and not usable:
            raise ValueError("it must be http://user:password@host:port of Traefik's API")
        return value

    @model_validator(mode="after")
    def _issuers_have_an_audience(self) -> Settings:
        if self.skypanel_oidc_issuers and not self.skypanel_oidc_audience:
            raise ValueError(
                "SKYPANEL_OIDC_ISSUERS needs SKYPANEL_OIDC_AUDIENCE: else a token for anybody would be good here. "
                "Set it to the address of the HTTP API, and ask the issuers for tokens of that audience"
            )
        return self

    @model_validator(mode="after")
    def _tenants_share_no_host_with_the_console(self) -> Settings:
        if is_near(self.console_host, self.paas_base_domain):
            raise ValueError(
                "SKYPANEL_CONSOLE_ORIGIN is at, above or below PAAS_BASE_DOMAIN, where tenants' hosts are: their pages "
                "would count as of its site. Give the console a domain of its own"
            )
        return self

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Settings:
        given = [
            bool(self.docker_tls_cert_file or self.docker_tls_cert_b64.get_secret_value()),
            bool(self.docker_tls_key_file or self.docker_tls_key_b64.get_secret_value()),
        ]
        if any(given) and not all(given):
            raise ValueError("DOCKER_TLS_CERT_* and DOCKER_TLS_KEY_* belong together: one of them is missing")
        for name in ("docker_tls_ca_b64", "docker_tls_cert_b64", "docker_tls_key_b64"):
            try:
                _decoded(getattr(self, name))
            except ValueError:
                raise ValueError(f"{name.upper()} is not base64: `base64 -w0 FILE` prints what it should be") from None
        return self

    @property
    def listen(self) -> tuple[str, int]:
        """Host and port of SKYPANEL_LISTEN.

        Raises:
            ValueError: it has none; the message does not repeat it.
        """
        return _host_and_port(self.skypanel_listen)

    @property
    def api_listen(self) -> tuple[str, int]:
        """Host and port of SKYPANEL_API_LISTEN.

        Raises:
            ValueError: it has none; the message does not repeat it.
        """
        return _host_and_port(self.skypanel_api_listen)

    @property
    def console_host(self) -> str:
        """Host of SKYPANEL_CONSOLE_ORIGIN; empty: there is none."""
        return urlsplit(self.skypanel_console_origin).hostname or ""

    @property
    def engine_host(self) -> str:
        """Where the engine is: DOCKER_HOST, else DOCKER_MANAGER_HOST, else the default socket."""
        if self.docker_host:
            return self.docker_host
        if self.docker_manager_host:
            return f"tcp://{self.docker_manager_host}:{self.docker_manager_port}"
        return DEFAULT_SOCKET

    @cached_property
    def tls(self) -> TLSConfig | None:
        """Client TLS for ``tcp://``, or None. Base64 contents are put into a private folder: OpenSSL reads files."""
        certificate = self._pem("cert.pem", self.docker_tls_cert_file, self.docker_tls_cert_b64)
        key = self._pem("key.pem", self.docker_tls_key_file, self.docker_tls_key_b64)
        authority = self._pem("ca.pem", self.docker_tls_ca_file, self.docker_tls_ca_b64)
        if not (certificate and key):
            return None
        from docker.errors import TLSParameterError  # noqa: PLC0415 - most commands start faster without it
        from docker.tls import TLSConfig  # noqa: PLC0415

        try:
            return TLSConfig(client_cert=(certificate, key), ca_cert=authority, verify=self.docker_tls_verify)
        except TLSParameterError:
            raise ExpectedError("DOCKER_TLS_*_FILE: one of the files that they name is not there") from None

    def _pem(self, name: str, file: Path | None, encoded: SecretStr) -> str | None:
        if file is not None:
            return str(file)
        if not encoded.get_secret_value():
            return None
        path = self._private_folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(_decoded(encoded))
        return str(path)

    @cached_property
    def _private_folder(self) -> Path:
        """A folder that nobody else can look into and that goes with this process."""
        folder = tempfile.mkdtemp(prefix="skypanel-tls-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    @cached_property
    def vault(self) -> Vault:
        """What this process can seal and open. No key is read before one is needed."""
        keyring = Keyring(self.skypanel_key_file, self.skypanel_keys.get_secret_value())
        return Vault(keyring, self.ssh_cred_secret.get_secret_value())

    @property
    def options(self) -> Options:
        """What renders depend on."""
        return Options(
            installation=self.skypanel_installation,
            edge_entrypoints=self.skypanel_edge_entrypoints,
            edge_cert_resolver=self.skypanel_edge_cert_resolver or None,
            monitor_seconds=self.skypanel_rollout_monitor_seconds,
            min_ready_seconds=self.skypanel_min_ready_seconds,
            progress_deadline_seconds=self.skypanel_progress_deadline_seconds,
            release_command_seconds=self.skypanel_release_command_seconds,
            edge_settle_seconds=self.skypanel_edge_settle_seconds,
            subnet_pool=str(self.skypanel_subnet_pool),
            pin_image=self.skypanel_pin_image,
            require_userns=self.skypanel_require_userns,
            require_run_as=self.skypanel_require_run_as,
            allowed_registries=self.skypanel_allowed_registries,
            api_host=self.skypanel_api_host,
            console_host=self.console_host,
            image_policy=self.image_policy,
        )

    @property
    def registry_mirrors(self) -> Mapping[str, Sequence[Mirror]]:
        """By registry, in the order in which they are asked."""
        return read_mirrors(self.skypanel_registry_mirrors)

    @property
    def image_policy(self) -> ImagePolicy:
        """The installation's."""
        return ImagePolicy(
            allowed_registries=self.caas_allowed_registries,
            allowed_patterns=self.caas_allowed_patterns,
            blocked_patterns=self.caas_blocked_patterns,
            require_digest=self.caas_require_image_digest,
            require_signed=self.caas_require_signed,
            signature_keys=self._signature_keys,
            vulnerabilities=self._vulnerabilities,
            enforcement=self.caas_image_enforcement,
        )

    @property
    def _signature_keys(self) -> tuple[str, ...]:
        try:
            return keys_in(self.caas_signature_key_file.read_text()) if self.caas_signature_key_file else ()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise ExpectedError(f"CAAS_SIGNATURE_KEY_FILE names a file that cannot be read: {why}") from None

    @property
    def _vulnerabilities(self) -> VulnerabilityLimits | None:
        limits = {name: getattr(self, f"caas_max_{name}") for name in SEVERITIES}
        if all(limit is None for limit in limits.values()):
            return None
        return VulnerabilityLimits(
            **limits,
            only_fixable=self.caas_only_fixable,
            max_age_days=self.caas_report_max_age_days,
            without_report=self.caas_without_report,
        )

    @property
    def tuning(self) -> LoopConfig:
        """Periods and limits of the engine."""
        return LoopConfig(
            hints=self.skypanel_hints,
            resync_seconds=self.skypanel_resync_seconds,
            poll_seconds=self.skypanel_poll_seconds,
            task_poll_seconds=self.skypanel_task_poll_seconds,
            max_rollouts=self.skypanel_max_rollouts,
            drain_seconds=self.skypanel_drain_seconds,
            reconcile_timeout_seconds=self.skypanel_reconcile_timeout_seconds,
            quarantine_seconds=self.skypanel_subnet_quarantine_seconds,
            retention_days=self.skypanel_retention_days,
            audit_days=self.skypanel_audit_days,
            fuse_share=self.skypanel_gc_fuse_share,
            fuse_minimum=self.skypanel_gc_fuse_minimum,
        )


def _decoded(encoded: SecretStr) -> bytes:
    return base64.b64decode("".join(encoded.get_secret_value().split()), validate=True)


def _host_and_port(said: str) -> tuple[str, int]:
    host, _, port = said.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not (port.isascii() and port.isdigit()) or not _HOST.fullmatch(host):
        raise ValueError("it is no host:port")
    if bracketed:
        return host[1:-1], int(port)
    if ":" in host:
        raise ValueError("an IPv6 address goes into brackets: [::1]:9470")
    return host or "127.0.0.1", int(port)
