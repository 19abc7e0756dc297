"""What a child of a replay would otherwise import itself: brought along by the process it is forked from."""

from __future__ import annotations

from daemon.imports import import_whole

for _name in ("archive", "compact", "judge", "look", "parse", "train"):
    import_whole(f"daemon.children.{_name}")
