"""The files below a folder of a book, none passed over in silence."""

import os
from collections.abc import Iterator
from pathlib import Path

from dagster_project.lib.book._places import Problems


def files_below(folder: Path, problems: Problems) -> Iterator[Path]:
    """All files below a folder in the order of their paths, also behind links to other folders.

    A link to what is not there is among them. Hidden files and notes (.md, .txt) are not.
    """
    paths: list[Path] = []
    seen: set[str] = set()

    def unreadable(error: OSError) -> None:
        # a book need not have each folder
        if folder.exists():
            problems.file(str(error.filename), f"a folder that can be read ({error.strerror})", value="closed to us")

    for at, folders, names in os.walk(folder, followlinks=True, onerror=unreadable):
        real = os.path.realpath(at)
        # a link may lead back to where we were
        folders[:] = () if real in seen else sorted(name for name in folders if not name.startswith("."))
        paths += () if real in seen else (Path(at, name) for name in names if not name.startswith("."))
        seen.add(real)
    for path in sorted(paths, key=lambda path: path.relative_to(folder).as_posix()):
        if (path.is_file() or is_gone(path)) and path.suffix not in {".md", ".txt"}:
            yield path


def is_gone(path: Path) -> bool:
    """Whether a path is a link to what is not there."""
    return path.is_symlink() and not path.exists()
