"""What the Elastic Common Schema 9.4.0 says of the fields that exports use.

Taken from generated/csv/fields.csv and schemas/event.yml of https://github.com/elastic/ecs, tag v9.4.0, Apache-2.0.
"""

# field: is it an array?
FIELDS = {
    "@timestamp": False,
    "ecs.version": False,
    "message": False,
    "event.id": False,
    "event.kind": False,
    "event.category": True,
    "event.type": True,
    "event.action": False,
    "event.outcome": False,
    "event.severity": False,
    "event.provider": False,
    "event.dataset": False,
    "event.reason": False,
    "service.name": False,
    "service.type": False,
    "user.id": False,
    "user.target.id": False,
    "user.hash": False,
    "related.user": True,
    "related.ip": True,
    "source.ip": False,
    "source.address": False,
    "user_agent.original": False,
    "http.request.id": False,
    "trace.id": False,
}
# event.category: the event.type that ECS expects beside it
EXPECTED = {
    "api": {
        "access",
        "admin",
        "allowed",
        "change",
        "creation",
        "deletion",
        "denied",
        "end",
        "info",
        "start",
        "user",
    },
    "authentication": {"start", "end", "info"},
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "database": {"access", "change", "info", "error"},
    "driver": {"change", "end", "info", "start"},
    "email": {"info"},
    "file": {"access", "change", "creation", "deletion", "info"},
    "host": {"access", "change", "end", "info", "start"},
    "iam": {"admin", "change", "creation", "deletion", "group", "info", "user"},
    "intrusion_detection": {"allowed", "denied", "info"},
    "library": {"start"},
    "malware": {"info"},
    "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
    "package": {"access", "change", "deletion", "info", "installation", "start"},
    "process": {"access", "change", "end", "info", "start"},
    "registry": {"access", "change", "creation", "deletion"},
    "session": {"start", "end", "info"},
    "threat": {"indicator"},
    "vulnerability": {"info"},
    "web": {"access", "error", "info"},
}
CATEGORIES = set(EXPECTED)
