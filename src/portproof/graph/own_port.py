"""The names by which programs are told their own port, and the values that say nothing but one.

On public charts nearly every such setting repeats a declared port; a name that does not (``DB_PORT``) is about another
program's port and is not in the list.
"""

from __future__ import annotations

import re

JAVA = r"-D(?:server|management\.server|quarkus\.http|micronaut\.server)\.port"
"""Options of a JVM that frameworks read as their own settings."""
VARIABLES = re.compile(
    r"(?:(?:HTTP|HTTPS|GRPC|WEB|APP|APPLICATION|SERVER|SERVER_HTTP|LISTEN|LISTENER|LISTENING|CONTAINER|METRICS|HEALTH"
    r"|HEALTHCHECK|ADMIN|MANAGEMENT|MANAGEMENT_SERVER|WEBHOOK|TELEMETRY|PROMETHEUS|MICRONAUT_SERVER|QUARKUS_HTTP"
    r"|UVICORN|NGINX_HTTP)_)?PORT(?:_NUMBER)?"
    r"|(?:HTTP_|GRPC_|METRICS_|HEALTH_|SERVER_)?(?:LISTEN|BIND|LISTEN_)(?:_?ADDR|_?ADDRESS)"
    r"|ASPNETCORE_(?:URLS|HTTP_PORTS|HTTPS_PORTS)|DOTNET_URLS"
    r"|QUARKUS_(?:HTTP_SSL|MANAGEMENT)_PORT|SPRING_GRPC_SERVER_PORT|(?:STREAMLIT|GRADIO)_SERVER_PORT|(?:NITRO|ROCKET)_PORT"
)
FLAGS = re.compile(
    r"-{1,2}(?:(?:http|https|grpc|web|server|listen|metrics|health|healthz|health-probe|readiness|probe|admin|webhook"
    r"|telemetry|secure|bind|monitoring|server\.http|server\.grpc|management\.server)[._-]?)?"
    r"(?:port|listen|(?:listen|bind)[._-]?(?:addr|address)|(?<=[a-z][._-])(?:addr|address))"
    rf"|{JAVA}"
)
_ADDRESS = re.compile(
    r"(?:(?:https?|tcp)://)?(?:0\.0\.0\.0|\[::\]|\[?\$\([A-Z_]*IP\)\]?|[*+])?:(?P<port>\d{2,5})/?\Z"
)
_NUMBER = re.compile(r"(?P<port>\d{2,5})\Z")


def port_in(name: str, text: str) -> re.Match[str] | None:
    """The ``port`` in the text of a setting of that name: an address of this pod, or a number where one is meant."""
    takes_a_number = re.search(r"port|listen\Z", name.lower())
    return _ADDRESS.match(text) or (_NUMBER.match(text) if takes_a_number else None)
