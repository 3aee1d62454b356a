"""Tenants with licenses and their clients; the counting policy; who of a client counts and who does not, and why."""

from __future__ import annotations

import os
from argparse import Namespace
from typing import Any

from local.cli import EXIT_DONE
from local.cli.files import read_file, write_file
from local.cli.mapping import account_decided
from local.cli.output import Cell, Column, shown
from local.cli.parser_licenses import LISTS, NO_CAP, NUMBERS, SWITCHES
from local.cli.tables import TENANT_WORDS, accounts_table, mapping_totals_text, plural, undecided_accounts
from local.cli.workplace import Workplace
from trueup.api.license_views import people_view, policies_view, policy_in_force_view, policy_view, user_view
from trueup.api.spreadsheets import FILE_BYTES_MAXIMUM, mappings_csv, read_mappings
from trueup.api.views import account_view, mapping_totals_view
from trueup.domain.counting import CountedUser
from trueup.domain.counting_policy import CountingPolicy
from trueup.domain.counts import Known
from trueup.domain.reconcile import mapping_totals
from trueup.usecases import counting, mapping
from trueup.usecases.mapping_import import import_mappings


def tenants(workplace: Workplace, arguments: Namespace) -> int:
    every = list(workplace.state.license_accounts.all())
    chosen = [entry for entry in every if arguments.state is None or entry.state.value == arguments.state]
    totals = mapping_totals(every)
    output = workplace.output
    output.document({"items": [account_view(entry) for entry in chosen], "totals": mapping_totals_view(totals)})
    decided = [entry for entry in chosen if entry.is_decided]
    if decided:
        accounts_table(output, decided, TENANT_WORDS)
    undecided_accounts(output, [entry for entry in chosen if not entry.is_decided], TENANT_WORDS)
    for entry in chosen:
        if entry.status_text:
            why = shown(entry.status_text, 300)
            output.paragraph(f"{shown(entry.vendor_id)} {shown(entry.vendor_name)} could not be read: {why}")
    if chosen:
        output.line()
    if not every:
        output.line("No tenant was read yet. Next: trueup connect microsoft365, then trueup sync")
        return EXIT_DONE
    output.line(mapping_totals_text(totals, TENANT_WORDS) + ".")
    return EXIT_DONE


def map_tenant(workplace: Workplace, arguments: Namespace) -> int:
    state = workplace.state
    entry = mapping.map_account(
        arguments.tenant_id,
        arguments.psa_id,
        actor=workplace.actor,
        accounts=state.license_accounts,
        snapshots=state.snapshots,
        clock=workplace.clock,
        what=mapping.TENANT,
    )
    return account_decided(workplace, entry, f"is of the client {shown(entry.psa_id or '')} {shown(entry.psa_name)}")


def exclude_tenant(workplace: Workplace, arguments: Namespace) -> int:
    entry = mapping.exclude_account(
        arguments.tenant_id,
        reason=arguments.reason,
        actor=workplace.actor,
        accounts=workplace.state.license_accounts,
        clock=workplace.clock,
        what=mapping.TENANT,
    )
    return account_decided(workplace, entry, "is left out; its users count for nobody")


def clear_tenant(workplace: Workplace, arguments: Namespace) -> int:
    entry = mapping.clear_account(
        arguments.tenant_id,
        actor=workplace.actor,
        accounts=workplace.state.license_accounts,
        clock=workplace.clock,
        what=mapping.TENANT,
    )
    return account_decided(workplace, entry, "is unmapped until somebody decides again")


def import_file(workplace: Workplace, arguments: Namespace) -> int:
    rows = read_mappings(read_file(arguments.file, field="file", bytes_maximum=FILE_BYTES_MAXIMUM))
    state = workplace.state
    changed = import_mappings(
        rows,
        actor=workplace.actor,
        accounts=state.license_accounts,
        snapshots=state.snapshots,
        clock=workplace.clock,
        what=mapping.TENANT,
    )
    workplace.output.document({"rows": len(rows), "changed": changed})
    workplace.output.line(f"{len(rows)} decisions were read and {changed} of them changed something.")
    return EXIT_DONE


def export_file(workplace: Workplace, arguments: Namespace) -> int:
    entries = list(workplace.state.license_accounts.all())
    path = write_file(arguments.file, mappings_csv(entries), field="file")
    workplace.output.document({"file": str(path), "rows": len(entries)})
    workplace.output.line(f"{len(entries)} tenants were written to {shown(os.fspath(path), 200)}.")
    return EXIT_DONE


def show_policy(workplace: Workplace, arguments: Namespace) -> int:
    state, output = workplace.state, workplace.output
    if arguments.client:
        found = counting.policy_in_force(
            arguments.client, counting_policies=state.counting_policies, snapshots=state.snapshots
        )
        output.document(policy_in_force_view(found))
        _describe(workplace, found.policy)
        _versions(workplace, found.versions)
        return EXIT_DONE
    book = counting.policy_book(counting_policies=state.counting_policies, snapshots=state.snapshots)
    output.document({**policies_view(book), "versions": [policy_view(one) for one in _general_versions(workplace)]})
    _describe(workplace, book.general)
    _versions(workplace, _general_versions(workplace))
    for policy in book.own:
        output.line()
        _describe(workplace, policy)
    return EXIT_DONE


def _general_versions(workplace: Workplace) -> tuple[CountingPolicy, ...]:
    return workplace.state.counting_policies.versions("", "")


def set_policy(workplace: Workplace, arguments: Namespace) -> int:
    state = workplace.state
    policy = counting.set_policy(
        arguments.client,
        _changes(arguments),
        reason=arguments.reason,
        actor=workplace.actor,
        counting_policies=state.counting_policies,
        snapshots=state.snapshots,
        clock=workplace.clock,
    )
    workplace.output.document(policy_view(policy))
    _describe(workplace, policy)
    workplace.output.line("It holds from the next comparison on: trueup run")
    return EXIT_DONE


def _changes(arguments: Namespace) -> dict[str, Any]:
    """The rules that were given. A list is emptied by one empty text."""
    changes: dict[str, Any] = {}
    for options in (SWITCHES, NUMBERS, LISTS):
        for option, (rule, _) in options.items():
            given = getattr(arguments, option.replace("-", "_"))
            if given is not None:
                changes[rule] = tuple(given) if isinstance(given, list) and given != [""] else given
                if given == [""]:
                    changes[rule] = ()
    if arguments.cap is not None:
        changes["cap_seats"] = None if arguments.cap == NO_CAP else arguments.cap
    if arguments.adjust_files is not None:
        changes["adjusts_stated"] = arguments.adjust_files
    return changes


def clear_policy(workplace: Workplace, arguments: Namespace) -> int:
    state = workplace.state
    policy = counting.clear_policy(
        arguments.client,
        reason=arguments.reason,
        actor=workplace.actor,
        counting_policies=state.counting_policies,
        snapshots=state.snapshots,
        clock=workplace.clock,
    )
    workplace.output.document(policy_view(policy))
    now = "by the MSP's policy" if arguments.client else "by the defaults"
    whom = f"Client {shown(arguments.client)} is" if arguments.client else "Clients without a policy of their own are"
    workplace.output.line(f"{whom} counted {now} from the next comparison on.")
    return EXIT_DONE


def people(workplace: Workplace, arguments: Namespace) -> int:
    state, output = workplace.state, workplace.output
    found = counting.licensed_people(
        arguments.client,
        integrations=state.integrations,
        snapshots=state.snapshots,
        license_accounts=state.license_accounts,
        counting_policies=state.counting_policies,
    )
    users = [one for one in found.counted.users if not (arguments.out and one.is_counted)]
    output.document({**people_view(found), "items": [user_view(one) for one in users]})
    if users:
        output.table(
            [Column("User", "name"), Column("Address", "name"), Column("Counts"), Column("Why", "text")],
            [_user_cells(one) for one in users],
        )
        output.line()
    for tenant in found.counted.tenants:
        words = f"{tenant.users} counted, {tenant.users_out} not" if tenant.users is not None else "no list of users"
        output.line(f"Tenant {shown(tenant.name)} ({shown(tenant.id)}): {words}")
        if tenant.failure:
            output.paragraph(f"It could not be read: {shown(tenant.failure, 500)}", "  ")
    count = found.counted.count
    seats = str(count.seats) if isinstance(count, Known) else f"no count ({shown(count.reason, 300)})"
    output.line(
        f"{shown(found.client_name)}: {seats}, by the {found.counted.policy.name}, as read "
        f"{found.read.completed_at:%Y-%m-%d %H:%M} UTC.",
        "bold",
    )
    return EXIT_DONE


def _user_cells(one: CountedUser) -> list[str | Cell]:
    counts = Cell("✓ in", "green") if one.is_counted else Cell("- out", "dim")
    return [shown(one.user.name, 30), shown(one.user.address, 40), counts, shown(one.reason, 300)]


def _describe(workplace: Workplace, policy: CountingPolicy) -> None:
    """The rules in words, one line each."""
    output = workplace.output
    output.line(f"{policy.name[0].upper()}{policy.name[1:]}", "bold")
    for words in _rule_lines(policy):
        output.paragraph(words, "  ")
    if policy.version and policy.at is not None:
        output.paragraph(f"said by {shown(policy.by)} on {policy.at:%Y-%m-%d}: {shown(policy.reason, 300)}", "  ")


def _rule_lines(policy: CountingPolicy) -> list[str]:
    named = ", ".join(shown(one) for one in policy.counted_skus)
    lines = [f"licenses: {named}" if named else "licenses: every one that brings a mailbox"]
    if policy.ignored_skus:
        lines.append(f"never: {', '.join(shown(one) for one in policy.ignored_skus)}")
    lines += [f"{what}: {'count' if getattr(policy, rule) else 'do not count'}" for rule, what in SWITCHES.values()]
    if policy.service_users:
        lines.append(f"service users, who do not count: {', '.join(shown(one) for one in policy.service_users)}")
    cap = "no cap" if policy.cap_seats is None else f"at most {policy.cap_seats}"
    lines.append(
        f"seats: less {policy.included_seats} included, at least {policy.minimum_seats}, in multiples of "
        f"{policy.multiple_seats}, {cap}"
    )
    stated = "adjusted in the same way" if policy.adjusts_stated else "taken as it is"
    return [*lines, f"a number from a file: {stated}"]


def _versions(workplace: Workplace, versions: tuple[CountingPolicy, ...]) -> None:
    if not versions:
        return
    workplace.output.line(f"  {plural(len(versions), 'version', 'versions')}, the newest first:")
    for one in versions:
        what = "taken back" if one.cleared else "said"
        at = "" if one.at is None else f" {one.at:%Y-%m-%d}"
        workplace.output.paragraph(f"{one.version}: {what}{at} by {shown(one.by)}: {shown(one.reason, 200)}", "    ")
