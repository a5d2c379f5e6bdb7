"""Settings: names and forms of the environment, what belongs together, errors that name the variable."""

from __future__ import annotations

import base64
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from controller.actions.errors import ActionError
from controller.cli import inputs
from controller.cli.inputs import settings
from controller.daemon import Daemon
from controller.settings import DEFAULT_SOCKET, Settings
from controller.settings_sources import read, sources

SECRET = "hunter2"
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting comes from this machine."""
    for name in list(os.environ):
        if name.startswith(("SKYPANEL_", "DOCKER_", "DATABASE_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return read(Settings, sources([]))


def test_without_any_variable_it_is_the_local_engine_and_the_defaults() -> None:
    settings = Settings()
    assert settings.engine_host == DEFAULT_SOCKET
    assert settings.tls is None
    assert settings.options.installation == "skypanel"


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({"DOCKER_HOST": "ssh://ops@manager.example.com"}, "ssh://ops@manager.example.com"),
        ({"DOCKER_MANAGER_HOST": "manager.example.com"}, "tcp://manager.example.com:2376"),
        (
            {"DOCKER_MANAGER_HOST": "manager.example.com", "DOCKER_MANAGER_PORT": "2377"},
            "tcp://manager.example.com:2377",
        ),
        ({"DOCKER_HOST": "unix:///run/a.sock", "DOCKER_MANAGER_HOST": "manager.example.com"}, "unix:///run/a.sock"),
    ],
)
def test_the_engine_is_where_the_most_direct_name_says(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], host: str
) -> None:
    assert given(monkeypatch, **variables).engine_host == host


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(monkeypatch, DOCKER_HOST="", SKYPANEL_RESYNC_SECONDS="", SKYPANEL_EDGE_ENTRYPOINTS="")
    assert settings == Settings()


def test_entry_points_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert given(monkeypatch, SKYPANEL_EDGE_ENTRYPOINTS="web, websecure,").options.edge_entrypoints == (
        "web",
        "websecure",
    )


def test_no_certificate_resolver_means_no_tls_at_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().options.edge_cert_resolver is None
    assert given(monkeypatch, SKYPANEL_EDGE_CERT_RESOLVER="letsencrypt").options.edge_cert_resolver == "letsencrypt"


def test_what_renders_depend_on_comes_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    options = given(
        monkeypatch,
        SKYPANEL_INSTALLATION="blue",
        SKYPANEL_SUBNET_POOL="10.32.0.0/16",
        SKYPANEL_ROLLOUT_MONITOR_SECONDS="1.5",
        SKYPANEL_PROGRESS_DEADLINE_SECONDS="30",
        SKYPANEL_PIN_IMAGE="pause:1",
    ).options
    assert (options.installation, options.subnet_pool, options.pin_image) == ("blue", "10.32.0.0/16", "pause:1")
    assert (options.monitor_seconds, options.progress_deadline_seconds) == (1.5, 30)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SKYPANEL_SUBNET_POOL", "10.32.0.1/16", "valid IPv4 network"),
        ("SKYPANEL_SUBNET_POOL", "everything", "valid IPv4 network"),
        ("SKYPANEL_INSTALLATION", "Blue Team", "pattern"),
        ("SKYPANEL_RESYNC_SECONDS", "0", "greater than 0"),
        ("SKYPANEL_LEASE_SECONDS", "soon", "valid number"),
        ("SKYPANEL_GC_FUSE_SHARE", "1.5", "less than or equal to 1"),
        ("SKYPANEL_DOCKER_CONNECTIONS", "1", "greater than or equal to 2"),
        ("SKYPANEL_HINTS", "perhaps", "boolean"),
        ("SKYPANEL_LOG_LEVEL", "loud", "'debug'"),
        ("SKYPANEL_LOG_FORMAT", "xml", "'json'"),
    ],
)
def test_a_bad_value_is_refused_with_its_name_and_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        given(monkeypatch, **{name: value})
    (error,) = refused.value.errors()
    assert error["loc"] == (name.lower(),)
    assert says in error["msg"]


# -- TLS -------------------------------------------------------------------------------------------------------------


def pem(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "variable", ["DOCKER_TLS_CERT_FILE", "DOCKER_TLS_KEY_FILE", "DOCKER_TLS_CERT_B64", "DOCKER_TLS_KEY_B64"]
)
def test_half_of_a_client_certificate_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    with pytest.raises(ValidationError, match=r"DOCKER_TLS_CERT_\* and DOCKER_TLS_KEY_\* belong together"):
        given(monkeypatch, **{variable: pem(SECRET)})


def test_certificate_files_are_used_where_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name.lower()}.pem" for name in ("CA", "CERT", "KEY")}
    for path in paths.values():
        path.touch()
    tls = given(monkeypatch, **{f"DOCKER_TLS_{name}_FILE": str(path) for name, path in paths.items()}).tls
    assert tls is not None
    assert tls.cert == (str(paths["CERT"]), str(paths["KEY"]))
    assert (tls.ca_cert, tls.verify) == (str(paths["CA"]), True)


def test_base64_certificates_are_put_where_nobody_else_can_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {f"DOCKER_TLS_{name}_B64": pem(f"the {name}") for name in ("CA", "CERT", "KEY")}
    tls = given(monkeypatch, **variables, DOCKER_TLS_VERIFY="false").tls
    assert tls is not None
    assert tls.verify is False
    found = {
        name: Path(path)
        for name, path in zip(("CERT", "KEY", "CA"), (*(tls.cert or ()), tls.ca_cert or ""), strict=True)
    }
    for name, path in found.items():
        assert path.read_text() == f"the {name}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len({path.parent for path in found.values()}) == 1, "one set of files lies in one folder"


def test_a_client_certificate_that_is_not_base64_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="DOCKER_TLS_KEY_B64 is not base64") as refused:
        given(monkeypatch, DOCKER_TLS_CERT_B64=pem("x"), DOCKER_TLS_KEY_B64=f"-----{SECRET}-----")
    assert SECRET not in str(refused.value)


def test_keys_that_were_written_to_files_go_with_the_process(tmp_path: Path) -> None:
    variables = {f"DOCKER_TLS_{name}_B64": pem(name) for name in ("CERT", "KEY")}
    program = "from controller.cli.inputs import settings; print(settings().tls.cert[0])"
    path = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert Path(path).parent.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = given(
        monkeypatch,
        DATABASE_URL=f"postgresql://skypanel:{SECRET}@db.example.com/panel",
        DOCKER_TLS_CERT_B64=pem(SECRET),
        DOCKER_TLS_KEY_B64=pem(SECRET),
    )
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in shown
    assert pem(SECRET) not in shown


def test_an_error_about_one_setting_does_not_show_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError) as refused:
        given(
            monkeypatch, DATABASE_URL=f"postgresql://skypanel:{SECRET}@db.example.com/panel", DOCKER_TLS_CERT_B64="Y2E="
        )
    assert SECRET not in str(refused.value)


def test_no_file_of_the_folder_is_read_unasked(tmp_path: Path) -> None:
    """It may be a tenant's checkout."""
    (tmp_path / ".env").write_text("DOCKER_HOST=tcp://tenant.example\nDATABASE_URL=postgresql://tenant.example/x\n")
    for found in (read(Settings, sources([])), settings()):
        assert (found.engine_host, found.database_url.get_secret_value()) == (DEFAULT_SOCKET, "")


def test_a_file_that_is_named_is_read_and_a_variable_wins_over_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "own.env"
    file.write_text("SKYPANEL_INSTALLATION=file\nSKYPANEL_RESYNC_SECONDS=7\nOTHER=thing\n")
    monkeypatch.setattr(inputs, "_named_files", [])
    inputs.use_env_file(file)
    monkeypatch.setenv("SKYPANEL_INSTALLATION", "variable")
    found = settings()
    assert (found.skypanel_installation, found.skypanel_resync_seconds) == ("variable", 7)
    with pytest.raises(ActionError, match="is not a readable file"):
        inputs.use_env_file(tmp_path / "none.env")


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:9470", ("127.0.0.1", 9470)),
        ("[::1]:9470", ("::1", 9470)),
        ("[::]:80", ("::", 80)),
        (":9470", ("127.0.0.1", 9470)),
        ("manager.example.com:9470", ("manager.example.com", 9470)),
    ],
)
def test_an_address_to_listen_on_may_be_of_either_family(
    monkeypatch: pytest.MonkeyPatch, listen: str, address: tuple[str, int]
) -> None:
    assert given(monkeypatch, SKYPANEL_LISTEN=listen).listen == address


def test_an_ipv6_address_to_listen_on_wants_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"brackets: \[::1\]:9470"):
        _ = given(monkeypatch, SKYPANEL_LISTEN="::1:9470").listen


def test_the_daemon_binds_an_ipv6_address(monkeypatch: pytest.MonkeyPatch) -> None:
    found = given(monkeypatch, SKYPANEL_LISTEN="[::1]:0", DATABASE_URL="postgresql://db/panel")
    with Daemon(found, {})._bind() as listener:
        assert listener.family is socket.AF_INET6


@pytest.mark.parametrize("url", ["localhost:8079", "ftp://edge", "http://", "http://edge:x"])
def test_an_edge_s_api_is_an_address_and_its_password_is_shown_nowhere(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    with pytest.raises(ValidationError, match="http://user:password@host:port"):
        given(monkeypatch, SKYPANEL_EDGE_API_URL=url)
    right = given(monkeypatch, SKYPANEL_EDGE_API_URL="http://skypanel:4711-secret@127.0.0.1:8079")
    assert "4711-secret" not in repr(right)
    assert right.skypanel_edge_api_url.get_secret_value().endswith("@127.0.0.1:8079")
