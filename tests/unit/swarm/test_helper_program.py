"""The helper in front of tenants' programs: what a program sees behind it, and what is said when there is none.

It is the program that is installed; the one of the other architecture does the same under an emulator.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from controller.swarm.helper.program import program
from deploy.engine import debian

ROOT = Path(__file__).parents[3]
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
NATIVE = next(name for name, machine in MACHINES.items() if machine == platform.machine())
(OTHER,) = MACHINES.keys() - {NATIVE}
CAT, PRINTF = "/usr/bin/cat", "/usr/bin/printf"
ABSENT = "not found, or what it is run by (its #! line, its loader) is not there"
NO_FORMAT = "no program for this machine, or a script without #! in its first line"
TOO_LONG = "one argument or variable has more than 128 kB, or all of them have more than the kernel takes"

names = st.binary(min_size=1, max_size=12).filter(lambda name: not {0, ord("=")} & set(name))
values = st.binary(max_size=40).map(lambda value: value.replace(b"\0", b"="))
words = st.binary(max_size=40).map(lambda value: value.replace(b"\0", b"\n"))
files = st.lists(st.tuples(names, values), max_size=12)


@dataclass(frozen=True)
class Helper:
    """The program and what runs it, in a folder of its own."""

    command: Sequence[str]
    folder: Path
    emulated: bool

    @property
    def vars(self) -> Path:
        return self.folder / "vars"

    def run(
        self, contents: bytes, *words: str | bytes, env: Mapping[bytes, bytes] | None = None, **more: Any
    ) -> subprocess.CompletedProcess[bytes]:
        """Run it with a file of variables."""
        self.vars.write_bytes(contents)
        return self.start(str(self.vars), *words, env=env or {}, **more)

    def start(self, *words: str | bytes, **more: Any) -> subprocess.CompletedProcess[bytes]:
        options = {"capture_output": True, "cwd": self.folder, "timeout": 20, **more}
        return subprocess.run([*self.command, *words], check=False, **options)


def installed(architecture: str) -> Iterator[Helper]:
    """It, where anybody can execute it."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        target = folder / "env"
        target.write_bytes(program(architecture))
        target.chmod(0o555)
        emulator = []
        if architecture != NATIVE:
            emulator = [str(debian.fetch("bookworm", ["qemu-user-static"]) / f"usr/bin/qemu-{MACHINES[OTHER]}-static")]
        yield Helper([*emulator, str(target)], folder, emulated=bool(emulator))


@pytest.fixture(
    scope="module", params=[NATIVE, pytest.param(OTHER, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def helper(request: pytest.FixtureRequest) -> Iterator[Helper]:
    yield from installed(request.param)


@pytest.fixture
def native() -> Iterator[Helper]:
    """For what an emulator has too much of itself: memory, handlers of signals."""
    yield from installed(NATIVE)


def written(variables: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b=%b\0" % variable for variable in variables)


def said(done: subprocess.CompletedProcess[bytes]) -> tuple[int, str]:
    """How it ended, and its line."""
    line = done.stderr.decode(errors="replace")
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert done.stdout == b""
    return done.returncode, line.removesuffix("\n").removeprefix("/.skypanel/env: ")


@settings(max_examples=150)
@given(before=st.dictionaries(names, values, max_size=6), file=files)
@example(before={}, file=[(bytes(range(1, 61)), bytes(range(1, 256))), (b"EMPTY", b""), (b"LINES", b"a\n$b\n\"'`\\")])
@example(before={b"A": b"1", b"AB": b"2"}, file=[(b"A", b"x"), (b"ABC", b"y"), (b"A", b"z")])
def test_a_program_sees_every_variable_byte_for_byte(
    helper: Helper, before: dict[bytes, bytes], file: list[tuple[bytes, bytes]]
) -> None:
    done = helper.run(written(file), CAT, "/proc/self/environ", env=before)
    kept = [(name, value) for name, value in before.items() if name not in dict(file)]
    once = [(name, value) for at, (name, value) in enumerate(file) if name not in dict(file[at + 1 :])]
    assert (done.returncode, done.stderr) == (0, b"")
    if helper.emulated:  # the emulator turns what was set around
        kept.reverse()
    assert done.stdout == written([*kept, *once])


@settings(max_examples=60)
@given(arguments=st.lists(words, max_size=6))
def test_a_program_gets_its_arguments_as_they_are(helper: Helper, arguments: list[bytes]) -> None:
    done = helper.run(b"A=1\0", PRINTF, "%s\\0", *arguments)
    assert (done.returncode, done.stdout) == (0, b"".join(word + b"\0" for word in arguments or [b""]))


@settings(max_examples=200)
@given(contents=st.binary(max_size=60) | st.text("=\0A", max_size=12).map(str.encode))
def test_a_file_that_is_not_well_formed_is_refused_without_a_word_of_it(helper: Helper, contents: bytes) -> None:
    done = helper.run(contents, CAT, "/proc/self/environ")
    records = contents.split(b"\0")
    if records.pop():
        expected = "its last variable is not ended by a NUL"
    else:
        broken = [record for record in records if record.find(b"=") < 1]
        expected = "" if not broken else "it has something that is not NAME=VALUE"
        if broken and broken[0][:1] in (b"", b"="):
            expected = "it has a variable without a name"
    if expected:
        assert said(done) == (125, f"{helper.vars}: {expected}")
    else:
        assert (done.returncode, done.stderr) == (0, b"")


def test_as_much_as_a_secret_holds_is_taken_and_no_more(helper: Helper) -> None:
    most = b"".join(b"V%06d=%b\0" % (number, b"x" * 91) for number in range(5120))
    assert len(most) == 512_000
    done = helper.run(most, CAT, "/proc/self/environ")
    assert (done.returncode, done.stdout) == (0, most)
    assert said(helper.run(most + b"A=\0", CAT)) == (125, f"{helper.vars}: it has more than 512000 bytes")


def test_a_value_may_have_as_much_as_the_kernel_takes(helper: Helper) -> None:
    longest = b"A=" + b"x" * (128 * 1024 - 3) + b"\0"
    assert helper.run(longest, CAT, "/proc/self/environ").stdout == longest
    assert said(helper.run(b"A" + longest, CAT)) == (126, f"{CAT}: {TOO_LONG}")


def test_it_needs_little_memory(native: Helper) -> None:
    many = b"".join(b"V%05d=1\0" % number for number in range(28_000))

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 20, 4 << 20))

    done = native.run(many, *native.command, str(native.vars), "/nonesuch", preexec_fn=bounded)
    assert said(done) == (127, f"/nonesuch: {ABSENT}"), "it became itself, and then said this"


def test_what_is_wrong_with_the_call_is_said(helper: Helper) -> None:
    usage = (125, "usage: /.skypanel/env VARS PROGRAM [ARGUMENT...]")
    for call in ([], ["/vars"], ["vars", "/bin/true"], ["", "/bin/true"], ["checks", "/bin/true"]):
        assert said(helper.start(*call)) == usage
    for vars_, why in (
        (f"{helper.folder}/none", "no such file"),
        (f"{helper.folder}", "it is a folder"),
        (f"{helper.folder}/env/vars", "a part of its path is no folder"),
        ("/" + "x" * 300, "its path is too long"),
    ):
        assert said(helper.start(vars_, CAT)) == (125, f"{vars_}: {why}")
    if os.geteuid() == 0:  # who may read everything, and become somebody who may not
        helper.vars.write_bytes(b"A=1\0")
        helper.vars.chmod(0)
        done = helper.start(str(helper.vars), CAT, user=65534, extra_groups=[])
        helper.vars.chmod(0o644)
        assert said(done) == (125, f"{helper.vars}: permission denied")


@dataclass
class Asked:
    """A server on 127.0.0.1 that takes one request after the other, and answers all with the same bytes."""

    answer: bytes = b"HTTP/1.1 204 No Content\r\n\r\n"
    request: bytes = b""
    port: int = 0

    def serve(self, listening: socket.socket) -> None:
        """Until the socket is shut."""
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, suppress(ConnectionError):
                connection.settimeout(10)
                request = b""
                while not request.endswith(b"\r\n\r\n") and (got := connection.recv(65536)):
                    request += got
                self.request = request
                connection.sendall(self.answer)


@pytest.fixture
def asked() -> Iterator[Asked]:
    found = Asked()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        found.port = listening.getsockname()[1]
        thread = threading.Thread(target=found.serve, args=(listening,))
        thread.start()
        yield found
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


USAGE_OF_CHECK = (125, "usage: /.skypanel/env check tcp PORT, or /.skypanel/env check http PORT PATH")
SAME_SERVER = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


def ended_well(done: subprocess.CompletedProcess[bytes]) -> bool:
    return (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_check_connects_to_the_port_of_the_task_itself(helper: Helper, asked: Asked) -> None:
    assert ended_well(helper.start("check", "tcp", str(asked.port)))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        free = silent.getsockname()[1]
        assert ended_well(helper.start("check", "tcp", str(free))), "it is enough that it is taken"
    refused = "nothing listens on this port of 127.0.0.1; listen on all addresses, 0.0.0.0"
    for way in (["tcp", str(free)], ["http", str(free), "/"]):
        assert said(helper.start("check", *way)) == (1, f"{free}: {refused}")


@SAME_SERVER
@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=50) | st.just("x" * 4094))
def test_a_check_asks_for_the_path_as_it_is(helper: Helper, asked: Asked, path: str) -> None:
    assert ended_well(helper.start("check", "http", str(asked.port), f"/{path}"))
    head, *fields = asked.request.decode().removesuffix("\r\n\r\n").split("\r\n")
    assert head == f"GET /{path} HTTP/1.1"
    assert f"Host: 127.0.0.1:{asked.port}" in fields
    assert "Connection: close" in fields


@SAME_SERVER
@given(status=st.integers(100, 999), rest=st.binary(max_size=20) | st.just(b"x" * 100_000))
def test_an_answer_of_2xx_or_3xx_is_well_and_no_other(helper: Helper, asked: Asked, status: int, rest: bytes) -> None:
    asked.answer = b"HTTP/1.0 %d \r\n\r\n%b" % (status, rest)
    done = helper.start("check", "http", str(asked.port), "/")
    if 200 <= status < 400:
        assert ended_well(done)
    else:
        assert said(done) == (1, f"{asked.port}: it answered with status {status}")


@SAME_SERVER
@given(answer=st.binary(max_size=40))
def test_what_is_no_answer_is_not_well(helper: Helper, asked: Asked, answer: bytes) -> None:
    asked.answer = answer
    code, line = said(helper.start("check", "http", str(asked.port), "/"))
    why = "what answers does not speak HTTP" if len(answer) >= 12 else "the connection was closed before there was an"
    assert code == 1
    assert line.startswith(f"{asked.port}: {why}")


@settings(max_examples=150)
@given(
    call=st.lists(st.sampled_from(["tcp", "http", "/", "0", "65536", "-1", "80 ", ""]) | st.text("ht0/", max_size=3))
)
@example(call=["http", "80", "/a b"])
@example(call=["http", "80", "/a\r\nb"])
@example(call=["http", "80", "/" + "x" * 4095])
@example(call=["http", "80", "a"])
@example(call=["http", "80"])
@example(call=["tcp", "80", "/"])
@example(call=["tcp", "4294967376"])
def test_another_call_for_a_check_is_refused(helper: Helper, call: list[str]) -> None:
    assert said(helper.start("check", *call)) == USAGE_OF_CHECK


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_why_a_program_does_not_start_is_said_as_shells_number_it(helper: Helper, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for word, code, why in (
        ("/nonesuch", 127, ABSENT),
        ("nonesuch", 127, ABSENT),
        ("", 127, ABSENT),
        (f"{CAT}/x", 127, "a part of its path is no folder"),
        ("x" * 300, 127, ABSENT),
        ("./" + "x" * 300, 127, "its path is too long"),
        (str(loop), 127, "too many links"),
        (script(tmp_path / "no-interpreter", "#!/nonesuch\n"), 127, ABSENT),
        (script(tmp_path / "plain", "true\n"), 126, NO_FORMAT),
        (script(tmp_path / "not-executable", "#!/bin/sh\n", 0o644), 126, "permission denied"),
        (str(tmp_path), 126, "permission denied"),
        ("/a\nb\x7f\x1b[31m", 127, ABSENT),
    ):
        shown = word.translate({10: "?", 27: "?", 127: "?"})
        assert said(helper.run(b"SECRET=value\0", word)) == (code, f"{shown}: {why}"), word
    assert said(helper.run(b"", "x" * 5000)) == (127, f"{'x' * 500}: {ABSENT}"), "the reason is not what is left out"


def test_a_program_is_found_in_the_path_that_results(helper: Helper, tmp_path: Path) -> None:
    def found(path: str | None, *, before: str | None = None) -> bytes | tuple[int, str]:
        contents = b"" if path is None else b"PATH=%b\0" % path.encode()
        done = helper.run(contents, "tool", env={} if before is None else {b"PATH": before.encode()}, cwd=tmp_path)
        return done.stdout if done.returncode == 0 else said(done)

    for place in ("one", "two", "."):
        script(tmp_path / place / "tool", f"#!/bin/sh\necho {place}\n")
    script(tmp_path / "denied" / "tool", "", 0o644)
    one, two, denied = (str(tmp_path / place) for place in ("one", "two", "denied"))
    assert found(one) == b"one\n"
    assert found(None, before=two) == b"two\n"
    assert found(one, before=two) == b"one\n"
    assert found(f"/nonesuch:{CAT}:{'x' * 5000}:{denied}:{two}:{one}") == b"two\n"
    assert found("two:one") == b"two\n", "from the working folder"
    for path in (f"/nonesuch::{one}", "", f"{'/' * 4094}:"):
        assert found(path) == b".\n", "an empty one is the working folder"
    assert found(f"/nonesuch:{denied}") == (126, "tool: permission denied")
    for size in range(4080, 4110):
        assert found("/" * size) == (127, f"tool: {ABSENT}")
    assert found(None) == (127, f"tool: {ABSENT}"), "not in the usual places"
    assert helper.run(b"", "cat", "/dev/null").returncode == 0, "which are looked at without a PATH"
    assert helper.run(b"", "./one/tool", cwd=tmp_path).stdout == b"one\n"


def test_it_becomes_the_program_and_leaves_nothing_behind(native: Helper) -> None:
    native.vars.write_bytes(b"A=1\0")
    look = "import os; print(os.getpid(), os.getppid(), os.listdir('/proc/self/fd'), open('/proc/self/status').read())"

    def ignore() -> None:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})

    def seen(*front: str) -> list[str]:
        command = [*front, "/usr/bin/python3", "-Sc", look]
        options: dict[str, Any] = {"preexec_fn": ignore}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as running:
            out, _ = running.communicate(timeout=20)
        pid, _, rest = out.partition(" ")
        assert int(pid) == running.pid
        kept = (
            "SigPnd",
            "ShdPnd",
            "SigBlk",
            "SigIgn",
            "SigCgt",
            "Cap",
        )  # SigQ counts those of all the user's processes
        return [rest.partition("]")[0], *(line for line in rest.splitlines() if line.startswith(kept))]

    assert seen(*native.command, str(native.vars)) == seen()


def child_of(helper: Helper, seconds: int, which: int, code: str, **more: Any) -> subprocess.Popen[str]:
    """The helper in front of a program in Python, once that has said ``ready``."""
    helper.vars.write_bytes(b"A=1\0")
    program = ["/usr/bin/python3", "-Suc", f"import os, signal, time\n{code}"]
    command = [*helper.command, "drain", str(seconds), str(which), str(helper.vars), *program]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)
    assert running.stdout is not None
    assert running.stdout.readline() == "ready\n"
    return running


SAYS_WHEN_IT_STOPS = """
def stop(number, _):
    print(number, flush=True)
    os._exit(7)
for each in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR2):
    signal.signal(each, stop)
signal.signal(signal.SIGUSR1, lambda *_: print("told", flush=True))
print("ready", os.environ["A"][1:], sep="", flush=True)
while True: time.sleep(0.01)  # not pause: a signal just before it is looked at with the next one
"""


@pytest.mark.parametrize(("which", "sent"), [(0, signal.SIGTERM), (0, signal.SIGQUIT), (12, signal.SIGUSR2)])
def test_a_program_is_asked_to_stop_when_it_has_served_on_and_told_of_all_else_at_once(
    native: Helper, which: int, sent: signal.Signals
) -> None:
    with child_of(native, 2, which, SAYS_WHEN_IT_STOPS) as running:
        assert running.stdout is not None
        began = time.monotonic()
        running.send_signal(sent)
        running.send_signal(signal.SIGUSR1)
        assert running.stdout.readline() == "told\n"
        assert time.monotonic() - began < 1.9
        assert running.stdout.readline() == f"{sent.value}\n"
        assert time.monotonic() - began >= 2
        assert running.wait(10) == 7


def test_whoever_asks_it_to_stop_again_does_not_wait(native: Helper) -> None:
    for second in (signal.SIGTERM, signal.SIGINT):
        with child_of(native, 60, 0, SAYS_WHEN_IT_STOPS) as running:
            running.send_signal(signal.SIGTERM)
            running.send_signal(signal.SIGTERM if second is signal.SIGTERM else second)
            assert running.stdout is not None
            while running.poll() is None:  # two of one kind that are not looked at yet are one
                running.send_signal(second)
            assert running.returncode == 7


def test_a_program_that_ends_while_it_serves_on_is_not_waited_for(native: Helper) -> None:
    with child_of(
        native, 60, 0, "signal.signal(10, lambda *_: os._exit(3))\nprint('ready')\nwhile True: time.sleep(0.01)"
    ) as running:
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGUSR1)
        assert running.wait(10) == 3


def test_it_ends_as_the_program_ends(helper: Helper) -> None:
    helper.vars.write_bytes(b"")
    for script_, code in (("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137), ("kill -15 $$", 143)):
        done = helper.start("drain", "5", "0", str(helper.vars), "/bin/sh", "-c", script_)
        assert (done.returncode, done.stdout, done.stderr) == (code, b"", b""), script_
    assert said(helper.start("drain", "5", "0", str(helper.vars), "/nonesuch")) == (127, f"/nonesuch: {ABSENT}")
    assert helper.start("drain", "0", "0", "/dev/null", CAT, "/proc/self/environ", env={}).stdout == b"", "no variables"


def test_a_program_behind_one_that_stays_is_left_as_it_would_be_without(native: Helper) -> None:
    native.vars.write_bytes(b"")
    look = "import os; print(os.listdir('/proc/self/fd'), open('/proc/self/status').read())"

    def odd() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})

    def seen(*front: str) -> list[str]:
        done = subprocess.run(
            [*front, "/usr/bin/python3", "-Sc", look], stdout=subprocess.PIPE, text=True, preexec_fn=odd, check=True
        )
        kept = ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "Cap")
        fds, _, rest = done.stdout.partition("]")
        return [fds, *(line for line in rest.splitlines() if line.startswith(kept))]

    assert seen(*native.command, "drain", "9", "0", str(native.vars)) == seen()


def test_as_the_first_process_it_reaps_what_has_no_parent_and_takes_no_more_memory(native: Helper) -> None:
    code = """
def alive(): return [p for p in os.listdir('/proc') if p.isdigit()]
def pages(): return open('/proc/1/statm').read()
print("ready", flush=True)
before = pages()
for _ in range(300):
    if not (child := os.fork()):
        os.fork()
        os._exit(0)
    os.waitpid(child, 0)
while len(alive()) > 2: time.sleep(0.01)
print(os.getpid(), os.getppid(), before == pages(), flush=True)
signal.signal(signal.SIGTERM, lambda *_: os._exit(5))
os.kill(1, signal.SIGTERM)
while True: time.sleep(0.01)
"""
    apart = ["/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "--map-root-user", "--kill-child"]
    with child_of(Helper([*apart, *native.command], native.folder, emulated=False), 1, 0, code) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "2 1 True\n"
        assert running.wait(10) == 5


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["5"],
        ["5", "0"],
        ["5", "0", "/v"],
        ["-1", "0"],
        ["3601", "0"],
        ["", "0"],
        ["5", "65"],
        ["5", ""],
        ["5", "x"],
    ],
)
def test_another_call_to_stand_in_front_is_refused(helper: Helper, words: list[str]) -> None:
    usage = (125, "usage: /.skypanel/env drain SECONDS SIGNAL VARS PROGRAM [ARGUMENT...]")
    more = ["/dev/null", CAT] if len(words) == 2 and words != ["5", "0"] else []
    assert said(helper.start("drain", *words, *more)) == usage


def test_the_same_source_gives_the_same_programs_wherever_it_is(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    folder = tmp_path / "elsewhere" / build.FOLDER
    folder.mkdir(parents=True)
    shutil.copy(ROOT / build.FOLDER / "env.c", folder)
    build.compile_helper(tmp_path / "elsewhere")
    assert sorted(each.name for each in folder.iterdir()) == ["env-amd64", "env-arm64", "env.c"]
    for architecture in MACHINES:
        compiled = (folder / f"env-{architecture}").read_bytes()
        assert compiled == program(architecture), "env.c was changed: python hatch_build.py"
        assert len(compiled) < 16_000
