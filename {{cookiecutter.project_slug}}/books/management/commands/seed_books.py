"""`manage.py seed_books`: invented books, as many as one likes, and the same ones each time."""

import re
from random import Random
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import reset_queries

from books.isbn import check_digit
from books.models import Book

BATCH = 5_000
# Some titles have a subtitle after a colon. Words fill the blanks of both.
TITLES = """The {adjective} {thing}; The {thing} of {place}: A Novel; {place} in {year}; Letters from {place}: {year};
{topic}: A History since {year}; {topic} in {place}: Essays; {place} before Dawn; Walking to {place};
{adjective} {thing}s; One Winter in {place}; How {topic} Came to {place}; Without {topic}: Poems; My Mother's {thing};
Return to {place}: Travels in {year}; Two {thing}s: A Romance; {place}: A Biography; {topic} and {thing}s"""
WORDS = {
    "adjective": "Borrowed Distant Forgotten Golden Hidden Last Little Northern Patient Quiet Salted Second Silent",
    "thing": "Archive Bridge Clockmaker Garden Harbour House Lantern Map Orchard Piano River Tailor Train",
    "place": "Bergen Cádiz Dakar Galway Hanoi Istanbul Kraków Kyoto Lagos Lima Málaga Odesa Tromsø Zürich",
    "topic": "Bread Coffee Glass Ink Love Mountains Paper Rain Salt Silence Silk Snow Tea Time Water Wool",
    "year": " ".join(map(str, range(1100, 2026))),
}
# First and last names of one language each.
AUTHORS = """Amara Chidi Ngozi Tunde / Adeyemi Balogun Eze Okoro; Astrid Björn Freja Søren / Ångström Dahl Lie Ødegård;
Camille Élodie Léon Théo / Beauchêne Dupré Lefèvre Moreau; Aiko Haruto Kenji Yumi / Fujimoto Ishii Mori Tanaka;
Álvaro Inés Joaquín Lucía / Fernández Ibáñez Muñoz Vega; Ananya Kavita Rohan Vikram / Banerjee Iyer Joshi Mehta;
Łukasz Marek Wiesława Zofia / Duda Kowalczyk Nowak Żuk; Elif Mehmet Ömer Zeynep / Çelik Demir Öztürk Şahin;
Alice Edward Henry Margaret / Ashworth Bell Hartley Reed; Greta Jürgen Jörg Ulrike / Brandt Köhler Schäfer Vogt;
Leila Omar Samira Yusuf / Darwish Haddad Khoury Nasser; Ana João Mariana Vicente / Araújo Carvalho Simões Teixeira"""

titles = [title.strip() for title in TITLES.split(";")]
words = {blank: some.split() for blank, some in WORDS.items()}
authors = [[names.split() for names in both.split("/")] for both in AUTHORS.split(";")]


def book(seed: int, number: int) -> Book:
    """The book with this number: the same one each time for a seed, and with an ISBN that no other book has."""
    choice = Random(seed * 10**7 + number).choice  # noqa: S311  # nothing secret
    filled = choice(titles).format(**{blank: choice(some) for blank, some in words.items()})
    title, _, subtitle = filled.partition(": ")
    author = " ".join(choice(names) for names in choice(authors))
    isbn = f"9798{seed}{number:07}"
    return Book(title=title, subtitle=subtitle, author=author, isbn=isbn + check_digit(isbn))


class Command(BaseCommand):
    help = "Add the first COUNT of the books that a seed stands for, unless they are there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--count", default="100", help="from 1 to 10000000; 100 if it is left out")
        parser.add_argument("--seed", default="0", help="from 0 to 9: each stands for other books")

    def handle(self, *args: Any, **options: Any) -> None:
        count, seed = str(options["count"]), str(options["seed"])
        if not re.fullmatch("[1-9][0-9]{0,6}|10000000", count):
            raise CommandError("--count is a whole number from 1 to 10000000.")
        if not re.fullmatch("[0-9]", seed):
            raise CommandError("--seed is a whole number from 0 to 9.")
        try:
            self.add(int(count), int(seed))
        except KeyboardInterrupt:
            raise CommandError("Stopped. The same command adds the rest.", returncode=130) from None
        self.stdout.write(f"The library has the first {int(count):,} books of seed {seed}.")

    def add(self, count: int, seed: int) -> None:
        """A batch at a time, each of which is there as a whole or not at all."""
        for start in range(0, count, BATCH):
            end = min(start + BATCH, count)
            Book.objects.bulk_create((book(seed, number) for number in range(start, end)), ignore_conflicts=True)
            # With DEBUG, Django would remember every statement.
            reset_queries()
            if self.stdout.isatty():
                line_end = "\n" if end == count else "\r"
                self.stdout.write(f"{'#' * (40 * end // count):.<40} {end:,} of {count:,}", ending=line_end)
                self.stdout.flush()
