"""Public images and the ports that their programs listen on when nothing tells them otherwise.

A container's ports only inform. Where nothing in a manifest can have told a program its port, it listens where its
image does, whatever the manifest declares.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from portproof.graph.fields import indexed, mapping

_TOLD_BY_FLAGS: Mapping[str, tuple[int, ...]] = {
    # prometheus wiki, Default port allocations; prometheus/exporter-toolkit reads --web.listen-address and no file
    "danielqsj/kafka-exporter": (9308,),
    "nginx/nginx-prometheus-exporter": (9113,),
    "oliver006/redis_exporter": (9121,),
    "prom/alertmanager": (9093, 9094),
    "prom/blackbox-exporter": (9115,),
    "prom/collectd-exporter": (9103,),
    "prom/consul-exporter": (9107,),
    "prom/graphite-exporter": (9108, 9109),
    "prom/haproxy-exporter": (9101,),
    "prom/influxdb-exporter": (9122,),
    "prom/memcached-exporter": (9150,),
    "prom/mysqld-exporter": (9104,),
    "prom/node-exporter": (9100,),
    "prom/prometheus": (9090,),
    "prom/pushgateway": (9091,),
    "prom/snmp-exporter": (9116,),
    "prom/statsd-exporter": (9102, 9125),
    "prometheuscommunity/elasticsearch-exporter": (9114,),
    "prometheuscommunity/json-exporter": (7979,),
    "prometheuscommunity/pgbouncer-exporter": (9127,),
    "prometheuscommunity/postgres-exporter": (9187,),
    "registry.k8s.io/kube-state-metrics/kube-state-metrics": (8080, 8081),
    "hashicorp/http-echo": (5678,),
    "wrouesnel/postgres_exporter": (9187,),
    "stefanprodan/podinfo": (9898, 9797, 9999),
}
"""Programs that hear of a port by arguments and variables only."""

_TOLD_BY_FILES: Mapping[str, tuple[int, ...]] = {
    # EXPOSE of each image, and its documentation on hub.docker.com
    "adminer": (8080,),
    "amazon/dynamodb-local": (8000,),
    "axllent/mailpit": (8025, 1025),
    "bitnami/mariadb": (3306,),
    "bitnami/mongodb": (27017,),
    "bitnami/mysql": (3306,),
    "bitnami/postgresql": (5432,),
    "bitnami/redis": (6379,),
    "cassandra": (9042, 7000, 7001, 7199, 9160),
    "couchdb": (5984, 4369, 9100),
    "docker.elastic.co/elasticsearch/elasticsearch": (9200, 9300),
    "docker.elastic.co/kibana/kibana": (5601,),
    "dpage/pgadmin4": (80, 443),
    "drupal": (80, 9000),
    "elasticsearch": (9200, 9300),
    "gcr.io/google-samples/hello-app": (8080,),
    "getmeili/meilisearch": (7700,),
    "ghost": (2368,),
    "grafana/grafana": (3000,),
    "grafana/grafana-oss": (3000,),
    "httpd": (80, 443),
    "influxdb": (8086, 8088, 8181, 8091),
    "jenkins/jenkins": (8080, 50000),
    "joomla": (80, 9000),
    "kennethreitz/httpbin": (80,),
    "kibana": (5601,),
    "mailhog/mailhog": (8025, 1025),
    "mariadb": (3306,),
    "mccutchen/go-httpbin": (8080,),
    "mcr.microsoft.com/mssql/server": (1433,),
    "memcached": (11211,),
    "metabase/metabase": (3000,),
    "mongo": (27017,),
    "mongo-express": (8081,),
    "mysql": (3306, 33060),
    "n8nio/n8n": (5678,),
    "nats": (4222, 6222, 8222),
    "neo4j": (7474, 7473, 7687),
    "nextcloud": (80, 9000),
    "nginx": (80, 443),
    "nginxdemos/hello": (80,),
    "nginxinc/nginx-unprivileged": (8080,),
    "ollama/ollama": (11434,),
    "opensearchproject/opensearch": (9200, 9300, 9600, 9650),
    "openzipkin/zipkin": (9411, 9410),
    "pgvector/pgvector": (5432,),
    "phpmyadmin": (80, 9000),
    "phpmyadmin/phpmyadmin": (80, 9000),
    "postgis/postgis": (5432,),
    "postgres": (5432,),
    "postgrest/postgrest": (3000, 3001),
    "qdrant/qdrant": (6333, 6334, 6335),
    "quay.io/keycloak/keycloak": (8080, 8443, 9000),
    "rabbitmq": (5672, 15672, 4369, 5671, 15671, 15691, 15692, 25672),
    "redis": (6379, 16379),
    "rediscommander/redis-commander": (8081,),
    "redis/redis-stack": (6379, 8001),
    "redis/redis-stack-server": (6379,),
    "registry": (5000, 5001),
    "solr": (8983, 9983),
    "sonarqube": (9000,),
    "sonatype/nexus3": (8081,),
    "timescale/timescaledb": (5432,),
    "tomcat": (8080, 8009, 8005, 8443),
    "traefik/whoami": (80,),
    "valkey/valkey": (6379, 16379),
    "wordpress": (80, 9000),
    "zookeeper": (2181, 2888, 3888, 8080),
}
"""Programs that may read files, too."""

_APACHE_OR_FPM = (("(?:.*-)?fpm(?:-.*)?", (9000,)), ("(?:.*-)?cli(?:-.*)?", ()), (".*", (80,)))
_BY_TAG: Mapping[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "adminer": (("(?:.*-)?fastcgi", (9000,)), (".*", (8080,))),
    "drupal": _APACHE_OR_FPM,
    "influxdb": (
        # influxdata/influxdata-docker, EXPOSE of each; influxdb 3 ``serve.rs`` listens on 8181
        (r"[\d.]+-meta(?:-.*)?", (8091,)),
        (r"[12](?:\.\d+){0,2}(?:-.*)?", (8086, 8088)),
        (r"3(?:\.\d+){0,2}-(?:core|enterprise)", (8181,)),
    ),
    "joomla": _APACHE_OR_FPM,
    "nextcloud": _APACHE_OR_FPM,
    "phpmyadmin": _APACHE_OR_FPM,
    "phpmyadmin/phpmyadmin": _APACHE_OR_FPM,
    "wordpress": _APACHE_OR_FPM,
}
"""Those of the above that listen elsewhere in some versions or variants: the first pattern that the whole tag fits."""

_ELSEWHERE = re.compile(r"(?:quay\.io/(?=prometheus/|prometheuscommunity/)|ghcr\.io/(?=stefanprodan/))")
_OFFICIAL = re.compile(
    r"(?:(?:index\.|registry-1\.)?docker\.io/|mirror\.gcr\.io/|public\.ecr\.aws/docker/)?(?:library/)?"
)
_TELLING = re.compile(r"PORT|LISTEN|ADDR|BIND|URL|ARGS|OPTS|OPTIONS|CONFIG", re.IGNORECASE)
_SETTINGS = re.compile(r"/(?:etc|opt|config|conf)(?:/|\Z)|conf(?:ig)?(?:\.d)?/?\Z")
"""Where a volume is mounted that may hold settings, rather than a program's own data."""


def default_ports(
    container: Mapping[str, Any], pod: Mapping[str, Any], readable: Collection[str]
) -> tuple[int, ...]:
    """Where the container's program listens on its own, the first one for what it is for.

    Empty when the image is unknown, and when something that cannot be read may tell the program another port: a command
    in place of the image's own, variables or files that come from elsewhere. `readable` are the names of the ConfigMaps
    whose text is known. What *is* known may still name other ports: see `Container.mentions`.
    """
    image = str(container.get("image") or "")
    name, ports = name_of(image), _ports(image)
    if not ports or container.get("command") or _has_unread_variables(container, readable):
        return ()
    if name in _TOLD_BY_FILES and _has_unread_files(container, pod, readable):
        return ()
    return ports


def is_public(image: str) -> bool:
    """Whether it is one of the images that are listed here, whoever else builds one of that name."""
    name = name_of(image)
    return name in _TOLD_BY_FLAGS or name in _TOLD_BY_FILES


def may_tell(variable: str) -> bool:
    """Whether a variable of that name may say where to listen."""
    return _TELLING.search(variable) is not None


def is_version_known(image: str) -> bool:
    """Whether the tag says which of its ports the image listens on; a digest, ``latest`` and versions to come may not."""
    rows = _BY_TAG.get(name_of(image))
    return rows is None or any(re.fullmatch(tag, _tag(image)) for tag, _ in rows)


def is_placeholder_image(image: str, *names: str) -> bool:
    """Whether a chart's default image is probably there to be replaced by the reader's own.

    ``helm create`` writes nginx into every chart, whatever the chart is for. An image that is meant is what the container
    or its object, whose `names` these are, is called after.
    """
    words = re.findall(r"[a-z]{3,}", name_of(image).rpartition("/")[2])
    return not any(word in name.lower() for word in words for name in names)


def _ports(image: str) -> tuple[int, ...]:
    """Where the image listens in the version that its tag names; in any of them when the tag does not say."""
    name, tag = name_of(image), _tag(image)
    rows = _BY_TAG.get(name, ())
    every = _TOLD_BY_FLAGS.get(name) or _TOLD_BY_FILES.get(name, ())
    return next((ports for one, ports in rows if re.fullmatch(one, tag)), every)


def _tag(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def name_of(image: str) -> str:
    """The image without its registry when that is a public one, its tag and its digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    name = _OFFICIAL.sub("", name, count=1) if _OFFICIAL.match(name) else name
    return re.sub(r"\Aprometheus/", "prom/", _ELSEWHERE.sub("", name, count=1))


def _has_unread_variables(container: Mapping[str, Any], readable: Collection[str]) -> bool:
    for _, source in indexed(container.get("envFrom")):
        config = mapping(source.get("configMapRef")).get("name")
        if str(config or "") not in readable:
            return True
    for _, variable in indexed(container.get("env")):
        source = mapping(variable.get("valueFrom"))
        config = mapping(source.get("configMapKeyRef")).get("name")
        known = not source or str(config or "") in readable
        if not known and may_tell(str(variable.get("name") or "")):
            return True
    return False


def _has_unread_files(
    container: Mapping[str, Any], pod: Mapping[str, Any], readable: Collection[str]
) -> bool:
    volumes = {str(one.get("name")): one for _, one in indexed(pod.get("volumes"))}
    prepared = set(_mounted_by_preparing(pod))
    for _, mount in indexed(container.get("volumeMounts")):
        name = str(mount.get("name"))
        volume = volumes.get(name, {})
        config = mapping(volume.get("configMap"))
        if config:
            if str(config.get("name") or "") not in readable:
                return True
        elif (
            volume.keys() & {"secret", "projected"}
            or name in prepared
            or ("emptyDir" not in volume and _SETTINGS.search(str(mount.get("mountPath") or "")))
        ):
            return True
    return False


def _mounted_by_preparing(pod: Mapping[str, Any]) -> Iterator[str]:
    """The volumes that init containers may have written settings to."""
    for _, container in indexed(pod.get("initContainers")):
        for _, mount in indexed(container.get("volumeMounts")):
            yield str(mount.get("name"))
