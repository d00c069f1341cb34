#!/usr/bin/env python
"""Django's command line: `python manage.py help` lists the commands."""

import os
import sys

try:
    from django.core.management import execute_from_command_line
except ImportError:
    raise SystemExit(
        "This Python has no Django. Put `uv run` in front of the command, or activate the virtual environment."
    ) from None

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_project.settings")
    execute_from_command_line(sys.argv)
