"""A connectivity test failed, or did not run.

`portproof connectivity` writes tests that open every port in the cluster as its caller does.
`portproof connectivity --report LOG` reads what they have printed. A failure is reported at the
line of the source that the number comes from, with what the result means:

* `refused`: nothing listens on the target port, or no endpoint has it. A caller cannot tell the two apart.
* `timeout`: a policy or a firewall drops the connection, or the Service has no such port.
* `no route`: the Service has no endpoint, its node is gone, or a policy rejects the connection.
* `dns`: there is no such Service, or the caller may not ask the name server.
* `wrong answer`: another program has the port, or the path is another one.

Why it matters:

Manifests can agree with each other and still be wrong: the program decides what it listens on.
Only a connection shows that.

Severity:

* **error**: when a test could not connect, or got a wrong answer.
* **note**: when the log has no result for an edge, or has one for an edge that is not in the repository.

Fix:

No. When the manifests disagree, too, `portproof check` reports it, and `portproof fix` has the proven fix.

Not reported when:

* `portproof check` runs, which looks at files only.
* the log has no result for any edge of an environment, because its tests did not run.
* no test opens the edge, which `portproof connectivity` says with the reason.
"""

from __future__ import annotations

from portproof.rules.base import Severity, rule

# The finding comes from the log of a test, not from a port graph: connectivity.findings makes it.
RULE = rule(__name__, __doc__, severity=Severity.ERROR, check=lambda _graph: ())
