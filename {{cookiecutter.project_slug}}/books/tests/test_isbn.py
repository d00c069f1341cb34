"""ISBNs: both forms, check digits, one way to store them."""

import pytest
from django.core.exceptions import ValidationError

from books.isbn import normalise


@pytest.mark.parametrize(
    "text",
    ["9780141439518", "978-0-14-143951-8", " 978 0141439518 ", "0141439513", "0-14-143951-3"],
)
def test_every_form_of_an_isbn_becomes_its_thirteen_digits(text):
    assert normalise(text) == "9780141439518"


@pytest.mark.parametrize("text", ["080442957X", "0-8044-2957-x"])
def test_the_check_digit_of_an_isbn_10_can_be_an_x(text):
    assert normalise(text) == "9780804429573"


@pytest.mark.parametrize("text", ["9780141439519", "0141439514", "080442957-1"])
def test_a_wrong_check_digit_is_refused(text):
    with pytest.raises(ValidationError) as error:
        normalise(text)
    assert error.value.code == "check_digit"


@pytest.mark.parametrize(
    "text",
    ["", "978", "97801414395180", "978014143951X", "9770141439518", "٩٧٨٠١٤١٤٣٩٥١٨", "X141439513", "a" * 9999],
)
def test_what_is_no_isbn_is_refused(text):
    with pytest.raises(ValidationError) as error:
        normalise(text)
    assert error.value.code == "invalid"
