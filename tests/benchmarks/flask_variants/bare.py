"""Flask alone."""

import flask
import worker

worker.work(worker.shop(flask))
