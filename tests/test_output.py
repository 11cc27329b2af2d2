from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from violencescore.errors import InputError
from violencescore.output import require_free, write_file, write_folder


def test_a_folder_appears_only_when_all_its_files_stand_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    with write_folder(folder) as staging:
        (staging / "a.txt").write_text("a")
        (staging / "deeper").mkdir()
        (staging / "deeper" / "b.txt").write_text("b")
        assert not folder.exists()
    assert sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.txt")) == ["a.txt", "deeper/b.txt"]
    assert [p.name for p in folder.parent.iterdir()] == ["run"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_interrupts_leaves_nothing_behind(tmp_path: Path, error: type[BaseException]) -> None:
    def write_half() -> None:
        with write_folder(tmp_path / "run") as staging:
            (staging / "half.txt").write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_that_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(ValueError, match="stop"), write_folder(folder):
        raise ValueError("stop")
    assert list(tmp_path.iterdir()) == [folder]
    assert list(folder.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with write_folder(tmp_path / "run") as staging:
        (staging / "a.txt").write_text("a")
    assert (tmp_path / "run" / "a.txt").read_text() == "a"


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not an empty folder"), write_folder(tmp_path / "run"):
        pytest.fail("the block must not run")
    assert (tmp_path / "run" / "mine.txt").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(InputError, match="not an empty folder"):
        require_free(tmp_path / "run")


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="not an empty folder"):
        require_free(tmp_path / "run")


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), write_folder(tmp_path / "file" / "run"):
        pytest.fail("the block must not run")


def test_a_folder_can_be_read_by_others(tmp_path: Path) -> None:
    with write_folder(tmp_path / "run"):
        pass
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o755


def test_a_folder_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "run"

    def write_both() -> None:
        with write_folder(folder) as staging:
            (staging / "a.txt").write_text("ours")
            folder.mkdir()
            (folder / "a.txt").write_text("theirs")

    with pytest.raises(InputError, match="put in place"):
        write_both()
    assert (folder / "a.txt").read_text() == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    write_file(path, b"first")
    write_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_file_that_cannot_be_written_keeps_what_stood_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(b"first")

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_a_file_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_file(tmp_path / "file" / "page.html", b"")


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_file(tmp_path / "page.html", b"")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]
