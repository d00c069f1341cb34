"""Tell what to do next."""

FOLDER = "{{ cookiecutter.folder }}"

print(f"\nThe manifests are in {FOLDER}. {FOLDER}/README.md leads to the first release.")  # noqa: T201  # Cookiecutter shows it to the user
