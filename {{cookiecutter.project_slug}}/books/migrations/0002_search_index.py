from django.db import migrations

from core.search import AddSearchIndex


class Migration(migrations.Migration):
    # The index is made while others write.
    atomic = False

    dependencies = [("books", "0001_initial")]

    operations = [AddSearchIndex("book")]
