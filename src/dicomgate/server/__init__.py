"""The HTTP door: one file per PS3.18 service, no logic of its own; the only room with an HTTP server library."""
