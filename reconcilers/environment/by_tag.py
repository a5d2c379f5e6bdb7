"""What ran before images were named by their content goes on as it is: its tasks name the image by its tag. Pure.

An upgrade must restart nothing, and ask no registry. So what is declared is first taken as it would have been then: is
that the newest release, or what runs where there is no release yet, it stays. Whatever is another release than that is
looked up, and named by its content; so there is no way back to a tag.
"""

from __future__ import annotations

from reconcilers.environment.config import runs
from reconcilers.environment.names import service_of
from reconcilers.objects import Service
from reconcilers.ports import Live, LiveService, Options
from specs.releases import release_of
from specs.snapshots import EnvironmentSnapshot


def as_it_runs(snapshot: EnvironmentSnapshot, live: Live, options: Options) -> EnvironmentSnapshot:
    """``snapshot``, marked where its image is named by its tag."""
    if snapshot.follow_seconds:  # whoever follows a tag wants to know what it means
        return snapshot
    before = snapshot.model_copy(update={"by_tag": True})
    image, newest = runs(before) or "", snapshot.release
    if newest is not None:
        return before if newest.digest == release_of(before, image).digest else snapshot
    names = (service_of(snapshot, process.type, options) for process in snapshot.effective_processes())
    found = (live.find(Service.object_type, name) for name in names)
    return before if any(isinstance(each, LiveService) and _image(each) == image for each in found) else snapshot


def _image(service: LiveService) -> str:
    return str(service.spec["TaskTemplate"]["ContainerSpec"].get("Image", ""))
