"""The files below a folder of a book, none passed over in silence."""

import os
from collections.abc import Iterator
from pathlib import Path

from dagster_project.lib.book._places import Problems


def files_below(folder: Path, problems: Problems) -> Iterator[Path]:
    """All files below a folder in the order of their paths, also behind links to other folders.

    A link to what is not there is among them. Hidden files and notes (.md, .txt) are not. What cannot be read as a file,
    and a name that is not UTF-8, is a problem.
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
        if path.suffix in {".md", ".txt"}:
            continue
        relative = path.relative_to(folder.parent).as_posix()
        name = os.fsencode(relative).decode(errors="replace")
        if name != relative:
            problems.file(name, "a file whose name is UTF-8; rename it", value="another name")
        elif path.is_file() or is_gone(path):
            yield path
        else:
            problems.file(name, "a file", value=_kind(path))


def _kind(path: Path) -> str:
    try:
        path.stat()
    except OSError as error:
        return error.strerror or str(error)
    return "a pipe, a socket or a device"


def is_gone(path: Path) -> bool:
    """Whether a path is a link to what is not there."""
    return path.is_symlink() and not path.exists()
