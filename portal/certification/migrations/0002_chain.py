"""The chain of evidence."""

from django.db import migrations, models

from connections.tenancy.row_security import TableStatements


class Migration(migrations.Migration):

    dependencies = [
        ('certification', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ChainLink',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('chain', models.UUIDField(verbose_name='chain')),
                ('position', models.PositiveBigIntegerField(verbose_name='position')),
                ('trail', models.CharField(max_length=12, verbose_name='trail')),
                ('row_id', models.UUIDField(verbose_name='row')),
                ('row_at', models.DateTimeField(verbose_name='time of the row')),
                ('row_hash', models.CharField(max_length=64)),
                ('note', models.CharField(blank=True, max_length=80, verbose_name='note')),
                ('hash', models.CharField(max_length=64, verbose_name='SHA-256')),
                ('linked_at', models.DateTimeField(db_default=models.Func(output_field=models.DateTimeField(), template='clock_timestamp()'), verbose_name='linked at')),
            ],
            options={
                'verbose_name': 'link of the chain of evidence',
                'verbose_name_plural': 'links of the chain of evidence',
                'constraints': [models.UniqueConstraint(fields=('chain', 'position'), name='certification_link_place'), models.UniqueConstraint(fields=('trail', 'row_id'), name='certification_link_once'), TableStatements(name='certification_link_rights', statements=['GRANT SELECT ON "{table}" TO portal_worker', 'GRANT SELECT ON "{table}" TO portal_staff'], undo=['REVOKE ALL ON "{table}" FROM portal_web, portal_worker, portal_staff'])],
            },
        ),
    ]
