from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("apis", "0001_initial")]

    operations = [
        # Tokens from before have none and are no longer valid: their users log in again.
        migrations.AddField(
            model_name="token",
            name="auth_hash",
            field=models.CharField(default="", editable=False, max_length=128),
            preserve_default=False,
        ),
    ]
