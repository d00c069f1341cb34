"""Time what people wait for: a render, the first answer of a new project, its image, and its checks.

This part of `just bench` writes its table into docs/performance.md. A render is compared with that of a template of
one empty file, in turn, without uv on the PATH, so that no dependencies are resolved. Everything that is downloaded is
taken from caches, which the first run of each fills. What needs Docker is left out where there is no engine.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from baking import BakedProject, free_port, path_without, running

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measure, print, and write docs/performance.md between its markers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--runs", type=int, default=15, help="interleaved renders, 15 by default; a fifth of the others"
    )
    parser.add_argument("--suite", action="store_true", help="also the template's own tests, for some ten minutes")
    parser.add_argument("--dry", action="store_true", help="print, and leave docs/ alone")
    options = parser.parse_args()
    rows = ["| what | median in s (spread) |", "| --- | ---: |"]

    def add(what: str, times: list[float]) -> None:
        rows.append(f"| {what} | {statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f}) |")
        print(rows[-1], flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, empty = renders(folder, options.runs)
        add("render this template", ours)
        add("render a template of one empty file", empty)
        rows.append(f"| ratio of the two | {statistics.median(ours) / statistics.median(empty):.2f} |")
        add("CPU time of the hook after a render", hook(folder))
        runs = max(1, options.runs // 5)
        add(
            "from the command that renders to the first answer of the API", [first_answer(folder) for _ in range(runs)]
        )
        project = BakedProject(folder / "first" / "library", {})
        add("`just test` in the project", timed(lambda: project.run("uv", "run", "just", "test"), runs))
        add(
            "`just check`: that, and format, lint, types and settings",
            timed(lambda: project.run("uv", "run", "just", "check"), runs),
        )
        if (
            shutil.which("docker")
            and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
        ):
            add("`docker build` without a layer", timed(lambda: build(project, "--no-cache"), runs))
            add("`docker build` after a change of code", timed(lambda: build(change(project)), runs))
        if options.suite:
            add("the template's own tests", timed(lambda: subprocess.run(["just", "test"], cwd=ROOT, check=True), 1))
    if not options.dry:
        page = ROOT / "docs" / "performance.md"
        text, table = page.read_text(encoding="utf-8"), "\n".join(rows)
        page.write_text(
            re.sub(r"(?s)<!-- times -->.*?<!-- end -->", lambda _: f"<!-- times -->\n{table}\n<!-- end -->", text),
            encoding="utf-8",
        )


def timed(action: Callable[[], object], runs: int) -> list[float]:
    """The seconds of each run."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return times


def first_answer(folder: Path) -> float:
    """The seconds from rendering a project, with its lock, to an answer of its API; the project stays in `first/`."""
    shutil.rmtree(folder / "first", ignore_errors=True)
    port = str(free_port())
    start = time.perf_counter()
    command = [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", "--output-dir", str(folder / "first")]
    subprocess.run(command, check=True, capture_output=True)
    project = folder / "first" / "library"
    with running(["uv", "run", "just", "start"], project, f"http://127.0.0.1:{port}/api/v1/books/", WEB_PORT=port):
        return time.perf_counter() - start


def build(project: BakedProject, *options: str) -> None:
    project.run("docker", "build", "--tag", "cookiecutter-drf-docker-benchmark", *options, ".")


def change(project: BakedProject) -> BakedProject:
    """The project, with a line of code more."""
    file = project.path / "core" / "pages.py"
    file.write_text(f"{file.read_text(encoding='utf-8')}# {time.monotonic_ns()}\n", encoding="utf-8")
    return project


def renders(folder: Path, runs: int) -> tuple[list[float], list[float]]:
    """Return the seconds of interleaved renders of this template and of one with an empty file."""
    empty = folder / "empty"
    (empty / "{{cookiecutter.project_slug}}").mkdir(parents=True)
    (empty / "{{cookiecutter.project_slug}}" / "file").touch()
    (empty / "cookiecutter.json").write_text('{"project_slug": "library"}', encoding="utf-8")
    times: dict[Path, list[float]] = {ROOT: [], empty: []}
    for run in range(runs + 1):
        for template, measured in times.items():
            output = folder / ("ours" if template == ROOT else "theirs") / str(run)
            seconds = render(template, output)
            if run:  # the first one fills caches
                measured.append(seconds)
    return times[ROOT], times[empty]


def render(template: Path, output: Path) -> float:
    """Return the seconds that one run of Cookiecutter takes."""
    command = [sys.executable, "-m", "cookiecutter", str(template), "--no-input", "--output-dir", str(output)]
    start = time.perf_counter()
    subprocess.run(command, env={**os.environ, "PATH": path_without("uv")}, check=True, capture_output=True)
    return time.perf_counter() - start


def hook(folder: Path) -> list[float]:
    """Return the CPU seconds of the hook in a project that is already rendered."""
    project, script = folder / "ours" / "0" / "library", folder / "hook.py"
    answers = {"include_books": True, "include_apis": True, "ci": "github", "project_slug": "library"}
    source = (ROOT / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    tracked = [path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()]
    files = {"repository": str(ROOT), "tracked": tracked, "untracked": []}
    source = source.replace("{{ cookiecutter | tojson }}", json.dumps(answers))
    script.write_text(source.replace('{{ "." | template_files | tojson }}', json.dumps(files)), encoding="utf-8")
    seconds, environment = [], {**os.environ, "PATH": path_without("uv")}
    for _ in range(7):
        before = os.times()
        subprocess.run([sys.executable, str(script)], cwd=project, env=environment, check=True, capture_output=True)
        after = os.times()
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return seconds


if __name__ == "__main__":
    main()
