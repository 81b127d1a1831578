"""Grammar of PS3.18, both ways: read what a peer says, say it. Does no I/O and knows no framework."""
