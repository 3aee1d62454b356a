"""List accounts, services and products; decide on them one by one or from a file."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

from local.cli import EXIT_DONE
from local.cli.files import read_file, write_file
from local.cli.output import Column, shown
from local.cli.tables import accounts_table, mapping_totals_text, services_table, undecided_accounts
from local.cli.workplace import Workplace
from trueup.api.spreadsheets import FILE_BYTES_MAXIMUM, mappings_csv, read_mappings, read_services
from trueup.api.views import account_view, mapping_totals_view, money_text, product_view, service_view
from trueup.domain.integrations import Side
from trueup.domain.mapping import AccountEntry, MappingState, ServiceEntry
from trueup.domain.reconcile import mapping_totals
from trueup.usecases import mapping
from trueup.usecases.mapping_import import import_mappings, import_services
from trueup.usecases.opening import connected


def accounts(workplace: Workplace, arguments: Namespace) -> int:
    every = list(workplace.state.accounts.all())
    chosen = [entry for entry in every if arguments.state is None or entry.state.value == arguments.state]
    totals = mapping_totals(every)
    workplace.output.document(
        {"items": [account_view(entry) for entry in chosen], "totals": mapping_totals_view(totals)}
    )
    decided = [entry for entry in chosen if entry.is_decided]
    if decided:
        accounts_table(workplace.output, decided)
    undecided_accounts(workplace.output, [entry for entry in chosen if not entry.is_decided])
    if chosen:
        workplace.output.line()
    if not every:
        workplace.output.line("No account was read yet. Next: trueup sync")
        return EXIT_DONE
    workplace.output.line(mapping_totals_text(totals) + ".")
    if arguments.state == "unmapped" and totals.ambiguous:
        workplace.output.line("Ambiguous ones wait for a decision too: trueup accounts --ambiguous")
    return EXIT_DONE


def services(workplace: Workplace, arguments: Namespace) -> int:
    every = workplace.state.services.all()
    workplace.output.document({"items": [service_view(entry) for entry in every]})
    if not every:
        workplace.output.line("No service was read yet. Next: trueup sync")
        return EXIT_DONE
    services_table(workplace.output, every)
    if any(entry.state is MappingState.UNMAPPED for entry in every):
        workplace.output.line()
        workplace.output.line("Find a product with trueup products TEXT, then trueup map service SERVICE_ID PRODUCT_ID")
    return EXIT_DONE


def products(workplace: Workplace, arguments: Namespace) -> int:
    text = arguments.text.strip()
    found = workplace.psa().search_products(text) if text else ()
    workplace.output.document({"items": [product_view(product) for product in found]})
    if not found:
        workplace.output.line(f"No product of the PSA has {shown(arguments.text)!r} in its Product ID or name.")
        return EXIT_DONE
    workplace.output.table(
        [Column("Product ID"), Column("Name", "name"), Column("Price", "number"), Column("Internal id", "number"),
         Column("")],
        [
            [
                shown(product.code, 40),
                shown(product.name, 50),
                money_text(product.price) or "none",
                product.id,
                "inactive" if product.inactive else "",
            ]
            for product in found
        ],
    )  # fmt: skip
    return EXIT_DONE


def map_account(workplace: Workplace, arguments: Namespace) -> int:
    state = workplace.state
    entry = mapping.map_account(
        arguments.vendor_id,
        arguments.psa_id,
        actor=workplace.actor,
        accounts=state.accounts,
        snapshots=state.snapshots,
        clock=workplace.clock,
    )
    return account_decided(workplace, entry, f"is now the client {shown(entry.psa_id or '')} {shown(entry.psa_name)}")


def exclude(workplace: Workplace, arguments: Namespace) -> int:
    entry = mapping.exclude_account(
        arguments.vendor_id,
        reason=arguments.reason,
        actor=workplace.actor,
        accounts=workplace.state.accounts,
        clock=workplace.clock,
        owner=arguments.owner,
        review_on=arguments.review_on,
    )
    return account_decided(workplace, entry, "is left out of the comparison")


def clear(workplace: Workplace, arguments: Namespace) -> int:
    entry = mapping.clear_account(
        arguments.vendor_id, actor=workplace.actor, accounts=workplace.state.accounts, clock=workplace.clock
    )
    return account_decided(workplace, entry, "is unmapped until somebody decides again")


def account_decided(workplace: Workplace, entry: AccountEntry, what: str) -> int:
    """What became of an account or a tenant, in both forms."""
    workplace.output.document(account_view(entry))
    workplace.output.paragraph(f"{shown(entry.vendor_id)} {shown(entry.vendor_name)} {what}")
    return EXIT_DONE


def map_service(workplace: Workplace, arguments: Namespace) -> int:
    entry = mapping.map_service(
        arguments.service_id,
        arguments.product_id,
        actor=workplace.actor,
        services=workplace.state.services,
        psa=workplace.psa(),
        psa_integration=connected(Side.PSA, workplace.state.integrations),
        clock=workplace.clock,
    )
    return _service_decided(workplace, entry, f"is billed as {shown(entry.product_code)} {shown(entry.product_name)}")


def exclude_service(workplace: Workplace, arguments: Namespace) -> int:
    entry = mapping.exclude_service(
        arguments.service_id,
        reason=arguments.reason,
        actor=workplace.actor,
        services=workplace.state.services,
        clock=workplace.clock,
    )
    return _service_decided(workplace, entry, "is not billed to clients")


def per_user(workplace: Workplace, arguments: Namespace) -> int:
    entry = mapping.set_per_user(
        arguments.service_id,
        arguments.answer == "yes",
        actor=workplace.actor,
        services=workplace.state.services,
        clock=workplace.clock,
    )
    return _service_decided(workplace, entry, f"is {'' if entry.is_per_user else 'not '}sold by the licensed user")


def _service_decided(workplace: Workplace, entry: ServiceEntry, what: str) -> int:
    workplace.output.document(service_view(entry))
    workplace.output.paragraph(f"{shown(entry.service_id)} {shown(entry.name)} {what}")
    return EXIT_DONE


def import_file(workplace: Workplace, arguments: Namespace) -> int:
    rows = read_mappings(read_file(arguments.file, field="file", bytes_maximum=FILE_BYTES_MAXIMUM))
    state = workplace.state
    changed = import_mappings(
        rows, actor=workplace.actor, accounts=state.accounts, snapshots=state.snapshots, clock=workplace.clock
    )
    workplace.output.document({"rows": len(rows), "changed": changed})
    workplace.output.line(f"{len(rows)} decisions were read and {changed} of them changed something.")
    return EXIT_DONE


def import_services_file(workplace: Workplace, arguments: Namespace) -> int:
    rows = read_services(read_file(arguments.file, field="file", bytes_maximum=FILE_BYTES_MAXIMUM))
    changed = import_services(
        rows,
        actor=workplace.actor,
        services=workplace.state.services,
        psa=workplace.psa(),
        psa_integration=connected(Side.PSA, workplace.state.integrations),
        clock=workplace.clock,
    )
    workplace.output.document({"rows": len(rows), "changed": changed})
    workplace.output.line(f"{len(rows)} decisions were read and {changed} of them changed something.")
    return EXIT_DONE


def export_file(workplace: Workplace, arguments: Namespace) -> int:
    entries = list(workplace.state.accounts.all())
    path = write_file(arguments.file, mappings_csv(entries), field="file")
    workplace.output.document({"file": str(path), "rows": len(entries)})
    workplace.output.line(f"{len(entries)} accounts were written to {shown(os.fspath(Path(path)), 200)}.")
    return EXIT_DONE
