"""An image's bits depend on its recipe and on nothing else."""

import tarfile
from pathlib import Path

from deploy.engine.layer import Layer, write_image
from deploy.engine.programs import add_programs


def an_image(folder: Path) -> tuple[Path, str]:
    layer = Layer()
    layer.merge_usr()
    layer.file("/bin/program", b"#!/bin/sh\n", mode=0o755)
    layer.folder("/data", mode=0o700, uid=999)
    layer.fifo("/wait")
    folder.mkdir()
    target = folder / "image.tar"
    return target, write_image(layer, {"Cmd": ["/bin/program"]}, ["example.com/a:1"], "amd64", target)


def test_the_same_recipe_gives_the_same_id_and_bits(tmp_path: Path) -> None:
    (first, first_id), (second, second_id) = an_image(tmp_path / "a"), an_image(tmp_path / "b")
    assert first_id == second_id
    assert first.read_bytes() == second.read_bytes()


def test_nothing_but_the_image_is_left(tmp_path: Path) -> None:
    target, _ = an_image(tmp_path / "a")
    assert list(target.parent.iterdir()) == [target]


def test_files_below_a_merged_folder_go_where_the_link_leads(tmp_path: Path) -> None:
    target, _ = an_image(tmp_path / "a")
    with tarfile.open(target) as image, tarfile.open(fileobj=image.extractfile("layer.tar")) as layer:
        entries = {entry.name: entry for entry in layer}
    assert entries["bin"].linkname == "usr/bin"
    assert entries["usr/bin/program"].mode == 0o755
    assert (entries["data"].uid, entries["data"].mode) == (999, 0o700)
    assert entries["wait"].isfifo()
    assert {entry.mtime for entry in entries.values()} == {0}


def test_programs_find_their_loader_also_when_the_packages_have_it_below_usr(tmp_path: Path) -> None:
    loader = tmp_path / "tree/usr/lib64/ld-linux-x86-64.so.2"
    loader.parent.mkdir(parents=True)
    loader.write_bytes(b"the loader")
    layer = Layer()
    add_programs(layer, tmp_path / "tree", (), ())
    layer.write(tmp_path / "layer.tar")
    with tarfile.open(tmp_path / "layer.tar") as written:
        assert "lib64/ld-linux-x86-64.so.2" in written.getnames()
