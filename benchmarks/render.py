"""Time a render of the template against that of a template with one empty file, in turn.

Without uv on the PATH, so that no dependencies are resolved. Prints the medians in seconds and their ratio, and the
processor time of the hook after the render.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 15


def main() -> None:
    """Run `python benchmarks/render.py [RUNS]`."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        empty = folder / "empty"
        (empty / "{{cookiecutter.project_slug}}").mkdir(parents=True)
        (empty / "{{cookiecutter.project_slug}}" / "file").touch()
        (empty / "cookiecutter.json").write_text('{"project_slug": "library"}', encoding="utf-8")
        times: dict[Path, list[float]] = {empty: [], ROOT: []}
        for run in range(runs + 1):
            for template, measured in times.items():
                seconds = render(template, folder / f"{template.name}-{run}")
                if run:  # the first one warms up
                    measured.append(seconds)
        hook = hook_seconds(folder / f"{ROOT.name}-0" / "library", folder / "hook.py")
    ours, theirs = statistics.median(times[ROOT]), statistics.median(times[empty])
    print(f"this template: {ours:.3f} s (fastest {min(times[ROOT]):.3f}, slowest {max(times[ROOT]):.3f})")
    print(f"empty template: {theirs:.3f} s (fastest {min(times[empty]):.3f}, slowest {max(times[empty]):.3f})")
    print(f"ratio of the medians of {runs} interleaved runs: {ours / theirs:.2f}")
    print(f"processor time of the hook: {hook:.3f} s")


def environment() -> dict[str, str]:
    """This process's environment without a folder on the PATH that holds uv."""
    folders = os.environ["PATH"].split(os.pathsep)
    path = os.pathsep.join(folder for folder in folders if not (Path(folder) / "uv").exists())
    return {**os.environ, "PATH": path}


def render(template: Path, output: Path) -> float:
    """The seconds that one run of cookiecutter takes."""
    command = [sys.executable, "-m", "cookiecutter", str(template), "--no-input", "--output-dir", str(output)]
    start = time.perf_counter()
    subprocess.run(command, env=environment(), check=True, capture_output=True)
    return time.perf_counter() - start


def hook_seconds(project: Path, script: Path) -> float:
    """The median processor time of the hook, in seconds, in a project that is rendered already."""
    answers = json.dumps({"include_books": True, "include_apis": True, "ci": "github", "project_slug": "library"})
    source = (ROOT / "hooks" / "post_gen_project.py").read_text(encoding="utf-8")
    own = [path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()]
    files = json.dumps({"repository": str(ROOT), "own": own, "litter": []})
    source = source.replace("{{ cookiecutter | tojson }}", answers)
    script.write_text(source.replace("{{ cookiecutter | template_files | tojson }}", files), encoding="utf-8")
    seconds = []
    for _ in range(7):
        before = os.times()
        subprocess.run([sys.executable, str(script)], cwd=project, env=environment(), check=True, capture_output=True)
        after = os.times()
        seconds.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
