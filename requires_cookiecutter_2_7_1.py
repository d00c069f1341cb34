"""Name the version of Cookiecutter that the template needs where Cookiecutter is too old to run any code of ours.

Cookiecutter 1.7, which Debian 12 ships, does not find extensions in a template's repository. It stops with
"No module named 'requires_cookiecutter_2_7_1'", and the name says what to do. Later versions load this module, and
`template_extensions.py` refuses those below 2.7.1.
"""

from jinja2.ext import Extension


class VersionCheck(Extension):
    """Does nothing: being found is the check."""
