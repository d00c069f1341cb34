# The commands of the template; `just` alone lists them. In front of each stands `uv run`.

set positional-arguments

# List the commands
default:
    @just --list --unsorted

# Render the default project into a temporary folder and start it
demo:
    @folder=$(mktemp -d) && cookiecutter . --no-input --output-dir "$folder" && cd "$folder/library" && env -u VIRTUAL_ENV uv run --no-dev --with rust-just just start

# Test what is rendered, in every combination; `just test -k served` runs some of it
test *options:
    python -m pytest --numprocesses auto --dist loadgroup "$@"

# Format, lint and types, of the repository and of the template's folder in place
check:
    ruff format --check .
    ruff check .
    mypy
    python -m pytest tests/test_in_place.py

# Format the code and mend what can be mended by itself
fix:
    ruff check --fix .
    ruff format .
    cd "{{{{cookiecutter.project_slug}}" && ruff check --fix . && ruff format .

# Time a render against that of a template with one empty file
bench:
    python benchmarks/render.py
