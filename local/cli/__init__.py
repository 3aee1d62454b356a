"""The command `trueup`: the whole month from a terminal or a script, on this machine's own state.

Exit codes: 0 in line or done, 2 differences found (also: a change met a moved line), 1 failed, 64 wrong usage,
130 interrupted. With ``--json`` standard output carries exactly one JSON document, whatever happens.
"""

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_DIFFERENCES = 2
EXIT_USAGE = 64
EXIT_INTERRUPTED = 130
