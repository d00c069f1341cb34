# The commands of the template; `just` alone lists them. In front of each stands `uv run`.

set positional-arguments

# List the commands
default:
    @just --list --unsorted

# Render the default project into a temporary folder and start it
demo:
    @folder=$(mktemp -d) && cookiecutter . --no-input --output-dir "$folder" > /dev/null && cd "$folder/library" && pwd && env -u VIRTUAL_ENV uv run just start

# Test what is rendered, in every combination; `just test -k served` runs some of it
test *options:
    python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder "$@"

# Test a project on each Python that is installed, and on the newest Django
matrix *options:
    python -m pytest tests/test_versions.py "$@"

# Try many more random answers than the tests do, and other requests; `just fuzz 5000` says how many answers
fuzz examples="1000":
    EXAMPLES="$1" python -m pytest -n auto tests/test_answers_random.py tests/test_api_served.py -k 'test_any_ or schemathesis'

# Format, lint and types, of the repository and of the template's folder in place
check:
    ruff format --check .
    ruff check .
    mypy
    python -m pytest tests/test_in_place.py

# Format the code, and fix what can be fixed automatically
fix:
    ruff check --fix .
    ruff format .
    cd "{{{{cookiecutter.project_slug}}" && ruff check --fix . && ruff format .

# Take the pictures of README.md again, which needs Chromium; look at them before you commit them
pictures *folder:
    PYTHONPATH=tests python docs/pictures.py "$@"

# Measure what people wait for, memory, and requests against what others ship: one after the other, for an hour
bench: bench-times bench-memory bench-requests

# Measure what people wait for; `just bench-times --help` lists the options
bench-times *options:
    PYTHONPATH=tests python benchmarks/times.py "$@"

# Measure the memory of a server that answers a hundred thousand requests
bench-memory *options:
    PYTHONPATH=tests python benchmarks/memory.py "$@"

# Measure requests against what others ship; `just bench-requests --rows 10000000` does it with ten million books
bench-requests *options:
    PYTHONPATH=tests uv run --group bench python benchmarks/performance.py "$@"
