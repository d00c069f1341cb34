"""`manage.py seed_books`: well-known books, or any number of generated ones, the same ones each time."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from books.isbn import check_digit
from books.models import Book
from core.management.commands.demo import SeedCommand

# Works in the public domain, each with the ISBN of an edition.
DEMO_BOOKS = Path(__file__).parents[2] / "demo_books.csv"

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


class Command(SeedCommand):
    help = "Add well-known books, or COUNT generated ones, unless they exist."
    model = Book

    def examples(self) -> list[Book]:
        with DEMO_BOOKS.open(encoding="utf-8", newline="") as file:
            return [Book(**row) for row in csv.DictReader(file)]

    def make(self, choice: Callable[[list[Any]], Any], digits: str) -> Book:
        filled = choice(titles).format(**{blank: choice(some) for blank, some in words.items()})
        title, _, subtitle = filled.partition(": ")
        author = " ".join(choice(names) for names in choice(authors))
        isbn = f"9798{digits}"
        return Book(title=title, subtitle=subtitle, author=author, isbn=isbn + check_digit(isbn))
