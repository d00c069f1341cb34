"""Demo data: well-known books whose authors' rights have ended, with ISBNs of real editions."""

from books.models import Book

# Title, subtitle, author, ISBN.
BOOKS = [
    ("A Tale of Two Cities", "", "Charles Dickens", "9780141439600"),
    ("Adventures of Huckleberry Finn", "", "Mark Twain", "9780142437179"),
    ("Alice's Adventures in Wonderland and Through the Looking-Glass", "", "Lewis Carroll", "9780141439761"),
    ("Candide", "Or, Optimism", "Voltaire", "9780140440041"),
    ("Crime and Punishment", "", "Fyodor Dostoyevsky", "9780140449136"),
    ("Don Quixote", "", "Miguel de Cervantes", "9780142437230"),
    ("Dracula", "", "Bram Stoker", "9780141439846"),
    ("Emma", "", "Jane Austen", "9780141439587"),
    ("Frankenstein", "Or, the Modern Prometheus", "Mary Shelley", "9780141439471"),
    ("Great Expectations", "", "Charles Dickens", "9780141439563"),
    ("Gulliver's Travels", "", "Jonathan Swift", "9780141439495"),
    ("Heart of Darkness", "", "Joseph Conrad", "9780141441672"),
    ("Jane Eyre", "An Autobiography", "Charlotte Brontë", "9780141441146"),
    ("Leaves of Grass", "", "Walt Whitman", "9780140421996"),
    ("Les Misérables", "", "Victor Hugo", "9780140444308"),
    ("Little Women", "", "Louisa May Alcott", "9780140390698"),
    ("Meditations", "", "Marcus Aurelius", "9780140449334"),
    ("Middlemarch", "A Study of Provincial Life", "George Eliot", "9780141439549"),
    ("Moby-Dick", "Or, the Whale", "Herman Melville", "9780142437247"),
    ("Pride and Prejudice", "", "Jane Austen", "9780141439518"),
    ("Robinson Crusoe", "", "Daniel Defoe", "9780141439822"),
    ("Sense and Sensibility", "", "Jane Austen", "9780141439662"),
    ("The Art of War", "", "Sun Tzu", "9780140455526"),
    ("The Count of Monte Cristo", "", "Alexandre Dumas", "9780140449266"),
    ("The Odyssey", "", "Homer", "9780140268867"),
    ("The Origin of Species", "", "Charles Darwin", "9780140439120"),
    ("The Picture of Dorian Gray", "", "Oscar Wilde", "9780141439570"),
    ("The Prince", "", "Niccolò Machiavelli", "9780140449150"),
    ("The Republic", "", "Plato", "9780140455113"),
    ("The Scarlet Letter", "A Romance", "Nathaniel Hawthorne", "9780142437261"),
    ("The Time Machine", "", "H. G. Wells", "9780141439976"),
    ("The War of the Worlds", "", "H. G. Wells", "9780141441030"),
    ("Walden", "Or, Life in the Woods", "Henry David Thoreau", "9780140390445"),
    ("War and Peace", "", "Leo Tolstoy", "9780140447934"),
    ("Wuthering Heights", "", "Emily Brontë", "9780141439556"),
]


def load() -> str:
    """Add the books, but for those whose ISBN is there, and say how many there are."""
    fields = ("title", "subtitle", "author", "isbn")
    Book.objects.bulk_create([Book(**dict(zip(fields, row, strict=True))) for row in BOOKS], ignore_conflicts=True)
    return f"Books in the library: {Book.objects.count()}"
