"""A kind of mail: support asks for somebody at a connection."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0003_causes'),
    ]

    operations = [
        migrations.AlterField(
            model_name='mailchoice',
            name='refused',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('broken', 'a connection needs somebody'), ('healed', 'what I was told of is over'), ('live', 'a connection has been read for the first time'), ('waits', 'a connection that I began waits for me'), ('asked', 'support asks for me at a connection'), ('expires', 'something of a connection is about to end, or its provider changes something'), ('outage', 'a provider has been in trouble for a while, and when that is over')], max_length=10), blank=True, default=list, size=None),
        ),
        migrations.AlterField(
            model_name='notice',
            name='kind',
            field=models.CharField(choices=[('broken', 'a connection needs somebody'), ('healed', 'what I was told of is over'), ('live', 'a connection has been read for the first time'), ('waits', 'a connection that I began waits for me'), ('asked', 'support asks for me at a connection'), ('expires', 'something of a connection is about to end, or its provider changes something'), ('outage', 'a provider has been in trouble for a while, and when that is over')], max_length=10, verbose_name='kind'),
        ),
    ]
