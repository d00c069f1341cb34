"""Words that must not come back: the documentation and the code use the field's own terms."""

import re
import subprocess

from baking import ROOT

# A pattern, and what to write instead.
TERMS = {
    r"mend(s|ed|ing)?\b": "fix",
    r"anew\b": "again",
    r"once more\b": "again",
    r"(by|of) itself\b": "automatically",
    r"pieces? of words?\b|three-letter": "trigrams",
    r"spread evenly\b": "uniformly distributed",
    r"processors?\b": "CPU",
    r"rubbish\b|litter\b": "build artefacts, untracked files",
    r"(server|settings|defaults) of production\b": "production server",
    r"folder of the project\b|project's folder\b": "project directory",
    r"is away\b": "is down, is unavailable",
    r"(left|leave|leaves) alone\b": "not changed",
    r"greatest (length|number)\b": "maximum",
    r"what is looked for\b|looked-for\b": "search terms",
    r"who one is\b": "the current user",
    r"(what|whom) nobody may\b": "a forbidden method",
    r"by [45]\d\d\b": "with 4…",
    r"answer(s|ed)? (with|by) [1-5]\d\d\b": "responds with",
}
# In documents an address is an IP address or an e-mail address; a resource has a URL, an endpoint or a path.
DOCUMENT_TERMS = {r"(?<!IP )(?<!e-mail )(?<!email )addresses?\b(?! already in use)": "URL, endpoint, path"}

# This file, and what a page quotes or a library calls so.
EXCEPTIONS = {
    "tests/test_prose.py": set(TERMS),
}
TRACKED = subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0")[:-1]


def test_files_use_the_terms_of_the_field() -> None:
    found = []
    for name in TRACKED:
        if name.endswith((".png", ".webp", ".svg")):
            continue
        terms = TERMS | (DOCUMENT_TERMS if name.endswith(".md") else {})
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            for pattern in terms.keys() - EXCEPTIONS.get(name, set()):
                if re.search(rf"\b{pattern}", line, re.IGNORECASE):
                    found.append(f"{name}:{number}: write {terms[pattern]!r} in {line.strip()!r}")
    assert not found, "\n".join(found)
