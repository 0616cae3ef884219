"""The rooms' metrics, for /metrics."""

from prometheus_client import Counter, Gauge

MEMBERS = Gauge("room_members", "Sockets in rooms of this process", multiprocess_mode="livesum")
ROOMS = Gauge("rooms", "Rooms with members in this process", multiprocess_mode="livesum")
APPENDED = Counter("room_messages_appended", "Messages that this process put into a log")
DELIVERED = Counter("room_messages_delivered", "Messages that this process wrote to members")
REPAIRS = Counter("room_repairs", "Times that a room read its log because messages were missing")
LOST = Counter("room_gaps", "Times that members were told of a gap or a new epoch")
RESUBSCRIBED = Counter("room_resubscriptions", "Times that the channel layer subscribed again")
UNAVAILABLE = Counter("room_unavailable", "Messages that were answered with unavailable")
UNKNOWN_EVENTS = Counter("room_unknown_events", "Events on the hub's channel that have no handler")
DROPPED_LOGS = Counter("room_logs_dropped", "Idle rooms' logs dropped because Redis was full")
SLOW = Counter("room_slow_closes", "Sockets without the fan-out extension that were closed as too slow")
