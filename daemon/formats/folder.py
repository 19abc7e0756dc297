"""All bars of a folder of files, and which files hold none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.formats.reading import read_bars
from daemon.formats.reasons import FileRejectedError
from regime.types import Bars

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NO_SYMBOLS: Mapping[str, str] = {}


def read_folder(folder: Path, *, symbols: Mapping[str, str] = _NO_SYMBOLS) -> tuple[Bars, dict[str, str]]:
    """Give the bars of every file of a folder, and why each other file holds none, by its name.

    A bar that several files have is that of the last of them by name. Folders inside are not looked into.
    ``symbols`` are renamed as in `read_bars`.

    Raises
    ------
    OSError
        If the folder or a file in it cannot be read.
    """
    found, left_out = [], {}
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != "."):
        try:
            found.append(read_bars(path, name=path.name, symbols=symbols).bars)
        except FileRejectedError as error:
            left_out[path.name] = str(error)
    return Bars.concat(found), left_out
