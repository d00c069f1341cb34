"""Check all answers once more: a replay file or a user's configuration comes in without any question.

{{ cookiecutter | check_answers }}"""
