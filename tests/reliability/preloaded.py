"""
An application that a server loads before it forks: for gunicorn (`--preload`) and for Celery (prefork pool).

Each worker proves itself when it starts, and writes what is wrong to a file of its own in `$STATION_ANSWERS`.
"""

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path

from tests.reliability.forked import prepared, work_through

_folder = tempfile.mkdtemp()
_owner = os.getpid()
atexit.register(lambda: os.getpid() == _owner and shutil.rmtree(_folder, ignore_errors=True))
station = prepared(_folder)


def prove():
    """What this worker finds wrong, as a file that is there whole or not at all."""
    answers = Path(os.environ["STATION_ANSWERS"])
    try:
        wrong = work_through(station)
    except BaseException as error:
        wrong = [f"the worker was given {error!r}"]
    half = answers / f"{os.getpid()}.half"
    half.write_text(json.dumps(wrong))
    half.rename(half.with_suffix(".json"))


def application(environ, start_response):
    """For gunicorn, which wants something to serve."""
    start_response("204 No Content", [])
    return []


def post_worker_init(worker):
    """gunicorn's hook: this file is its configuration too."""
    prove()


preload_app = True
workers = 2
timeout = 300
