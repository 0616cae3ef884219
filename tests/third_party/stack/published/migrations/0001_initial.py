from django.db import migrations, models

ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    initial = True
    operations = (migrations.CreateModel("Note", [("id", ID), ("text", models.CharField(max_length=80))]),)
