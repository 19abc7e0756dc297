"""Work that kills the process it is done in, for one fold."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from daemon.children.fits import fit_only

if TYPE_CHECKING:
    from daemon.children.fits import Outcome
    from regime.fit_jobs import FitJob


def work(job: FitJob) -> Outcome:
    """Fit, but die of the fold that is named so."""
    if job.fold == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return fit_only(job)
