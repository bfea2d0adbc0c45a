"""``tagtray serve``: the web pages and the API."""

from __future__ import annotations

from tagtray.app import bootstrap, startup
from tagtray.cli import options, streams
from tagtray.web import application, binding, server


def serve(
    host: options.Host = None,
    port: options.Port = None,
    no_auth: options.NoAuth = False,
) -> None:
    """Serve the web pages and the HTTP API, until Ctrl-C."""
    settings = startup.load(host=host, port=port)
    startup.name_process("serve")
    bound = binding.bind(settings, no_auth=no_auth)
    with bound, bootstrap.writing(settings) as database:
        pages = application.create(settings, database)
        streams.say(f"Serving {binding.address(bound)}; Ctrl-C ends.")
        server.serve(pages, bound)
