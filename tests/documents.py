"""The sections, commands and code of the documents of a rendered project."""

import re

from baking import BakedProject

OPERATE = "docs/operate.md"


def sections(text: str) -> dict[str, str]:
    """The text below each heading but the title, up to the next one of any level. Lines of code are no headings."""
    code = iter(re.findall(r"(?ms)^```.*?^```$", text))
    found: dict[str, str] = {}
    for part in re.split(r"(?m)^##+ ", re.sub(r"(?ms)^```.*?^```$", "\0", text))[1:]:
        heading, _, body = part.partition("\n")
        found[heading] = re.sub("\0", lambda _: next(code), body)
    return found


def blocks(project: BakedProject, heading: str, language: str = "sh") -> list[str]:
    """The blocks of code in this language in a section of docs/operate.md."""
    found = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", sections(project.read(OPERATE))[heading])
    return [text for name, text in found if name == language]


def block(project: BakedProject, heading: str, language: str = "sh") -> str:
    """The only block of this language in the section."""
    [found] = blocks(project, heading, language)
    return found
