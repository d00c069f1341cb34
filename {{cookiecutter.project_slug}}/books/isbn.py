"""International Standard Book Numbers. https://en.wikipedia.org/wiki/ISBN#Check_digits"""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

# Of an ISBN with its hyphens and spaces.
MAX_LENGTH = 20


def normalize_isbn(text: str) -> str:
    """Return the 13 digits of an ISBN-10 or ISBN-13, which may have hyphens and spaces.

    Raises ValidationError if the text has another form or its check digit is wrong.
    """
    if len(text) > MAX_LENGTH:
        raise ValidationError(f"An ISBN has at most {MAX_LENGTH} characters.", code="invalid")
    isbn = re.sub(r"[\s-]", "", text).upper()
    if re.fullmatch(r"[0-9]{9}[0-9X]", isbn):
        digits = [10 if character == "X" else int(character) for character in isbn]
        if sum(weight * digit for weight, digit in zip(range(10, 0, -1), digits, strict=True)) % 11:
            raise ValidationError("The check digit of this ISBN is wrong.", code="check_digit")
        isbn = "978" + isbn[:9]
        return isbn + check_digit(isbn)
    if not re.fullmatch(r"97[89][0-9]{10}", isbn):
        raise ValidationError("Write an ISBN of 10 or 13 digits, with or without hyphens.", code="invalid")
    if isbn[12] != check_digit(isbn[:12]):
        raise ValidationError("The check digit of this ISBN is wrong.", code="check_digit")
    return isbn


def check_digit(isbn: str) -> str:
    """Return the thirteenth digit of an ISBN-13, computed from the first twelve."""
    return str(-(sum(map(int, isbn[::2])) + 3 * sum(map(int, isbn[1::2]))) % 10)


class ISBNFormField(forms.CharField):
    """A form field whose value is normalized before any validator sees it."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value)
        return normalize_isbn(text) if text else ""


class ISBNField(models.CharField):
    """A column of ISBN-13 digits. Every way to save a row normalizes, or raises ValidationError."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "max_length": 13})

    def to_python(self, value: Any) -> Any:
        return normalize_isbn(value) if isinstance(value, str) and value else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = normalize_isbn(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": ISBNFormField, "max_length": MAX_LENGTH, **kwargs})
