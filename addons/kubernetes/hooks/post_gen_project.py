"""Tell what to do next."""

FOLDER = {{cookiecutter.folder | tojson}}

print(f"\nThe manifests are in the directory {FOLDER}. {FOLDER}/README.md leads to the first release.")
