import django.db.models.deletion
from django.db import migrations, models

# Indexes that Django gives to foreign keys; others begin with the same columns. They are dropped
# by name: SQLite would otherwise copy the whole table for each of them.
DOUBLED = ("monitoring_uptimecheck_llm_id_29753468", "monitoring_uptimecheck_round_id_e8591e55")


class Migration(migrations.Migration):
    dependencies = [
        ("models_app", "0004_calibration"),
        ("monitoring", "0005_rollup_index"),
    ]

    operations = [
        *(
            migrations.AddField(
                model_name="round",
                name=name,
                field=models.PositiveIntegerField(editable=False, null=True),
            )
            for name in ("up", "degraded", "down")
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(f"DROP INDEX {name}", migrations.RunSQL.noop) for name in DOUBLED
            ],
            state_operations=[
                migrations.AlterField(
                    model_name="uptimecheck",
                    name=name,
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="checks",
                        to=model,
                    ),
                )
                for name, model in (("llm", "models_app.llm"), ("round", "monitoring.round"))
            ],
        ),
    ]
