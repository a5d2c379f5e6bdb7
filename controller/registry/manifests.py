"""What manifests and configs say: which image of an index is for a platform, and how an image starts. Pure.

An engine's own answer about an image has the same fields as a config, in other letters: both are read here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from controller.registry.documents import CONFIGS, DIGEST, INDEXES, MANIFESTS, Descriptor, Document
from controller.registry.errors import ImageRefused
from reconcilers.helper import ARCHITECTURES
from reconcilers.images import ImageFacts
from reconcilers.signals import NUMBERS, USUAL

_MOST_BYTES = 64 << 10
"""Of an entry point, its arguments and its check together: what a service is told of them."""
_BASELINES = {"amd64": ("", "v1"), "arm64": ("", "v8", "8")}
"""Variants that every machine of an architecture runs; engines take them for the same."""
_SPELLINGS = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}
_DURATIONS = ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"
_SHELL = ("/bin/sh", "-c")
_LONGEST_SIGNAL = 16
_BROKEN = "push the image anew with a current tool"


def config_of(image: str, document: Document) -> Descriptor:
    """Where the config of the image of this manifest is.

    Raises:
        ImageRefused: it is no manifest of an image that runs.
    """
    found = _descriptor(image, _read(image, document, MANIFESTS).get("config"), "its config")
    if found.media_type not in CONFIGS:
        raise ImageRefused(
            image, f"it is no image that runs: its config is {found.media_type[:100]!r}", "name one that runs"
        )
    return found


def is_index(image: str, document: Document) -> bool:
    """Whether it lists images for platforms; a manifest otherwise.

    Raises:
        ImageRefused: it is neither.
    """
    return _media_type(image, document, _object(image, document.body)) in INDEXES


def image_for(image: str, index: Document, architectures: Sequence[str]) -> Descriptor:
    """The manifest of an index for the first of ``architectures`` that it has, on Linux: of several that every machine
    runs, the first, as engines do it.

    Raises:
        ImageRefused: it has none.
    """
    listed = _read(image, index, INDEXES).get("manifests")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    for architecture in architectures:
        for entry in entries:
            if _runs_on(entry, architecture):
                return _manifest(image, entry)
    has = sorted({"/".join(filter(None, _platform(entry))) for entry in entries} - {"", "unknown/unknown"})
    raise ImageRefused(
        image,
        f"it has no image for {' or '.join(f'linux/{name}' for name in architectures)}"
        + (f", only for {', '.join(has)[:200]}" if has else ""),
        "build it for one of them, too",
    )


def goes_by_itself(index: Document, architectures: Sequence[str]) -> bool:
    """Whether what ``image_for`` gives has to be named by its own digest: of several for one architecture, engines take
    which they like. Nodes of another architecture run nothing of it.
    """
    listed = _object("", index.body).get("manifests")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    taken = next((name for name in architectures if any(_runs_on(entry, name) for entry in entries)), None)
    return taken is not None and len({str(entry.get("digest")) for entry in entries if _is_for(entry, taken)}) > 1


def facts_of(image: str, pinned: str, config: Mapping[str, Any]) -> ImageFacts:
    """What a config says, or an engine of an image.

    Args:
        image: for messages.
        pinned: the reference that always means it.
        config: with fields in small letters, or as the engine has them.

    Raises:
        ImageRefused: it does not run here, or has not the form that configs have.
    """
    platform = (
        str(config.get("os") or config.get("Os") or ""),
        str(config.get("architecture") or config.get("Architecture") or ""),
    )
    if platform[0] != "linux" or platform[1] not in ARCHITECTURES:
        raise ImageRefused(
            image,
            f"it is for {'/'.join(platform)[:100]}, and what runs here is linux/{' or linux/'.join(ARCHITECTURES)}",
            "build it for one of them",
        )
    start = config.get("config", config.get("Config")) or {}
    try:
        entrypoint, cmd = _words(start.get("Entrypoint")), _words(start.get("Cmd"))
        shell, check = _words(start.get("Shell")), _check(start.get("Healthcheck"))
    except (TypeError, ValueError, AttributeError):
        raise ImageRefused(image, "its config has not the form that configs have", _BROKEN) from None
    size = sum(len(word.encode()) + 1 for word in (*entrypoint, *cmd, *shell, *(check or {}).get("Test", ())))
    if size > _MOST_BYTES:
        raise ImageRefused(
            image, f"its entry point has {size} bytes, and at most {_MOST_BYTES} are taken", "shorten it"
        )
    return ImageFacts(
        pinned, platform[1], entrypoint, cmd, check, shell or _SHELL, stop_signal=_stop_signal(start.get("StopSignal"))
    )


def config(image: str, body: bytes) -> Mapping[str, Any]:
    """A config, read.

    Raises:
        ImageRefused: it is none.
    """
    return _object(image, body)


def _read(image: str, document: Document, wanted: Sequence[str]) -> dict[str, Any]:
    found = _object(image, document.body)
    if _media_type(image, document, found) not in wanted:
        raise ImageRefused(image, "an index within an index, or a manifest where an index was said to be", _BROKEN)
    return found


def _media_type(image: str, document: Document, found: Mapping[str, Any]) -> str:
    """Of a manifest or an index; both its answer and itself may say it, and one must."""
    said, own = document.media_type, found.get("mediaType")
    if found.get("schemaVersion") == 1 or said.startswith(_SCHEMA_1):
        raise ImageRefused(image, "its manifest is of the old form (schema 1), which engines do not pull", _BROKEN)
    known = [name for name in (said, own) if name in MANIFESTS + INDEXES]
    if not known or found.get("schemaVersion") != 2:
        raise ImageRefused(image, f"what the registry sends is no manifest ({said[:100]!r})", _BROKEN)
    if len(set(known)) > 1 or ("manifests" in found and "config" in found):
        raise ImageRefused(image, "its manifest can be read in two ways", _BROKEN)
    return str(known[0])


def _manifest(image: str, entry: object) -> Descriptor:
    found = _descriptor(image, entry, "an entry of its index")
    if found.media_type not in MANIFESTS:
        nested = "an index within an index" if found.media_type in INDEXES else f"no image: {found.media_type[:100]!r}"
        raise ImageRefused(image, f"what its index has for this platform is {nested}", _BROKEN)
    return found


def _descriptor(image: str, entry: object, what: str) -> Descriptor:
    match entry:
        case {"mediaType": str(media_type), "digest": str(digest), "size": int(size)} if DIGEST.fullmatch(digest):
            return Descriptor(media_type, digest, size)
    raise ImageRefused(image, f"{what} has not the form that descriptors have", _BROKEN)


def _runs_on(entry: Mapping[str, Any], architecture: str) -> bool:
    """Whether every machine of this architecture runs it, however that is spelled."""
    return _is_for(entry, architecture) and _platform(entry)[2].strip().lower() in _BASELINES[architecture]


def _is_for(entry: Mapping[str, Any], architecture: str) -> bool:
    """Whether it is for some variant of this architecture; engines differ in which of them they take."""
    system, called, _ = (part.strip().lower() for part in _platform(entry))
    return (system, _SPELLINGS.get(called, called)) == ("linux", architecture)


def _platform(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    found = entry.get("platform")
    if not isinstance(found, dict):
        return "", "", ""
    return str(found.get("os") or ""), str(found.get("architecture") or ""), str(found.get("variant") or "")


def _object(image: str, body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ImageRefused(image, "what the registry sends is no JSON object", _BROKEN)
    return found


def _words(value: object) -> tuple[str, ...]:
    """A list of words; some tools write one word instead.

    Raises:
        ValueError: it is neither, or a word has a NUL in it.
    """
    words = [value] if isinstance(value, str) else value or []
    if not isinstance(words, list) or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise ValueError
    return tuple(words)


def _stop_signal(value: object) -> str | None:
    """In one of its spellings, ``SIGQUIT``, ``QUIT`` or ``3``; None: as usual, or what no engine knows either."""
    if not isinstance(value, str) or len(value) > _LONGEST_SIGNAL:
        return None
    word = value.strip().upper()
    if word.isascii() and word.isdigit():
        found = next((name for name, number in NUMBERS.items() if number == int(word)), None)
    else:
        found = next((name for name in (word, f"SIG{word}") if name in NUMBERS), None)
    return None if found == USUAL else found


def _check(value: Any) -> dict[str, Any] | None:
    """A health check, without what is empty in it; None when there is none."""
    if value is None or not value.get("Test"):
        return None
    numbers = {name: value[name] for name in _DURATIONS if value.get(name)}
    if not all(type(number) is int and number > 0 for number in numbers.values()):
        raise ValueError
    return {"Test": list(_words(value["Test"])), **numbers}
