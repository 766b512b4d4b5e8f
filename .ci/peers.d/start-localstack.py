"""Starts localstack-core where there is no Docker, on the loopback alone.

What the scenarios need of it is the control plane of Lambda, and S3; nothing is invoked. Three things stand in the way:
it listens on every interface, whatever GATEWAY_LISTEN says; without Docker it lets no function become active; and before
a version is active it would download what runs it.
"""

import time

from twisted.internet import endpoints

# How long creations and updates are in progress. A version that is active at once would leave nothing to wait for.
WINDOW_SECONDS = 0.3

listen = endpoints.TCP4ServerEndpoint.__init__


def listen_on_loopback(self, reactor, port, backlog=50, interface=""):
    listen(self, reactor, port, backlog, "127.0.0.1")


endpoints.TCP4ServerEndpoint.__init__ = listen_on_loopback

from localstack.services.lambda_.invocation.docker_runtime_executor import (  # noqa: E402
    DockerRuntimeExecutor,
)

DockerRuntimeExecutor.validate_environment = classmethod(lambda executor: True)
DockerRuntimeExecutor.prepare_version = classmethod(
    lambda executor, version: time.sleep(WINDOW_SECONDS)
)

from localstack.runtime.main import main  # noqa: E402

main()
