"""Check the answers again, because `--replay` skips the checks in `cookiecutter.json`."""

# The filter ends the run while Cookiecutter renders this file: {{ cookiecutter | check_answers }}
