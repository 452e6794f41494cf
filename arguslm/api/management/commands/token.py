from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from arguslm.api.models import ApiToken


class Command(BaseCommand):
    help = "Creates, lists and revokes API tokens."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("create", help="Prints a new token, once.").add_argument("name")
        verbs.add_parser("list", help="Names, first characters and last use.")
        verbs.add_parser("revoke", help="The token stops working at once.").add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = {"create": self.create, "list": self.list, "revoke": self.revoke}[options["verb"]]
        verb(options.get("name", ""))

    def create(self, name: str) -> None:
        if not name.strip() or len(name) > 100:
            raise CommandError("A token needs a name of 1 to 100 characters.")
        if ApiToken.objects.filter(name=name).exists():
            raise CommandError(f"There is a token named {name!r} already; revoke it first.")
        _, plain = ApiToken.issue(name)
        self.stdout.write(plain)
        self.stderr.write("Keep it: it is shown only once. Send 'Authorization: Bearer <token>'.")

    def list(self, name: str) -> None:
        for token in ApiToken.objects.all():
            used = (
                token.last_used_at.isoformat(timespec="minutes") if token.last_used_at else "never"
            )
            self.stdout.write(f"{token.hint}…  last used {used}  {token.name}")

    def revoke(self, name: str) -> None:
        deleted, _ = ApiToken.objects.filter(name=name).delete()
        if not deleted:
            raise CommandError(f"There is no token named {name!r}.")
        self.stdout.write(f"Revoked {name!r}.")
