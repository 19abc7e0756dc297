"""A child: ``python -m daemon.children MODULE`` works on the job that standard input holds."""

import sys

from daemon.children.speech import main_of
from daemon.imports import import_whole

if __name__ == "__main__":
    sys.exit(main_of(lambda job: import_whole(sys.argv[1]).run(job)))
