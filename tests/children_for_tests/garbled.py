"""A child that does not speak as it should: it prints the bytes that its job tells, so many times."""

from __future__ import annotations

import json
import sys

if __name__ == "__main__":
    job = json.load(sys.stdin)
    for _ in range(job["times"]):
        sys.stdout.buffer.write(job["bytes"].encode("latin-1"))
    sys.stderr.write(job["complaint"])
