"""The command line: one file per verb. Turns words into calls and faults into exit codes."""
