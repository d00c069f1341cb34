"""The console blocks of a documentation page: the commands that a reader types, and what they print."""

import re


def commands(session: str) -> list[tuple[str, str, str]]:
    """Return each command of a block, what is typed into it and what it prints; a shell reads the rest."""
    found: list[tuple[str, str]] = re.findall(r"(?m)^\$ (.*)\n((?:(?!\$ ).*\n)*)", session)
    for number, (command, _) in enumerate(found):
        if command.endswith(" sh"):
            rest = found[number + 1 :]
            typed, printed = "".join(f"{line}\n" for line, _ in rest), "".join(output for _, output in rest)
            return [*((line, "", output) for line, output in found[:number]), (command, typed, printed)]
    return [(command, "", output) for command, output in found]


def prints(output: str, expected: str) -> bool:
    """Whether an output is the expected one: `…` is anything within a line, and a line of it alone any lines."""
    pattern = "".join(
        "(?s:.*)" if line == "…" else re.escape(line).replace("…", ".*") + "\n"
        for line in expected.strip().splitlines()
    )
    return bool(re.fullmatch(pattern, "".join(f"{line}\n" for line in output.strip().splitlines())))
