"""A Celery application whose pool forks after the station was made and used."""

from celery import Celery
from celery.signals import worker_process_init

from tests.reliability import preloaded

app = Celery("station", broker="memory://")
app.conf.worker_proc_alive_timeout = 300  # the proof runs while the worker starts


@worker_process_init.connect
def prove(**_):
    preloaded.prove()
