"""The environment file of development: `python -m core.environment` makes .env from .env.example if there is none."""

import os
import re
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent


def make_env_file(folder: Path = BASE_DIR) -> bool:
    """Write `.env` into the folder, readable for its owner alone, with a random value for each secret.

    Returns whether it was made: an existing file is not changed.
    Raises OSError if the folder has no `.env.example` or cannot be written to.
    """
    example = (folder / ".env.example").read_text(encoding="utf-8")
    try:
        file = (folder / ".env").open("x", encoding="utf-8", newline="\n")
    except FileExistsError:
        return False
    with file:
        (folder / ".env").chmod(0o600)
        file.write(
            re.sub(r"(?m)^(SECRET_KEY|POSTGRES_PASSWORD)=$", lambda match: match[0] + os.urandom(32).hex(), example)
        )
    return True


if __name__ == "__main__":
    try:
        make_env_file()
    except OSError as error:
        raise SystemExit(f"Could not make .env: {error}") from None
