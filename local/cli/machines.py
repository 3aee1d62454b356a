"""Keys for machines that call Trueup, and callbacks of the PSA. Must not: show a key or a secret address again."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from local.cli import EXIT_DONE
from local.cli.output import Cell, Column, shown
from local.cli.workplace import Workplace
from trueup import bootstrap
from trueup.api.machine_views import api_key_view, callback_view
from trueup.domain.api_keys import KeyScope
from trueup.domain.callbacks import RegisteredCallback
from trueup.usecases.api_keys import create_key, revoke_key
from trueup.usecases.callbacks import CallbackSystems, list_callbacks, register_callbacks, remove_callback


def create(workplace: Workplace, arguments: Namespace) -> int:
    made = create_key(
        arguments.name,
        [KeyScope(scope) for scope in arguments.scopes],
        calls_a_minute=arguments.calls_a_minute,
        actor=workplace.actor,
        api_keys=workplace.state.api_keys,
        clock=workplace.clock,
    )
    workplace.output.document({**api_key_view(made.key), "key": made.text})
    workplace.output.line(made.text, "bold")
    workplace.output.note(
        f"Key {made.key.id} is made. This is the only time it is shown; send it in the header x-api-key.", "dim"
    )
    return EXIT_DONE


def list_keys(workplace: Workplace, arguments: Namespace) -> int:
    keys = workplace.state.api_keys.all()
    workplace.output.document({"items": [api_key_view(key) for key in keys]})
    if not keys:
        workplace.output.line("There is no key. Make one: trueup keys create.")
        return EXIT_DONE
    workplace.output.table(
        [Column("Key"), Column("Name", "name"), Column("May", "text"), Column("Calls", "number"), Column("Made (UTC)"),
         Column("State")],
        [
            [
                key.id,
                shown(key.name),
                " ".join(sorted(scope.value for scope in key.scopes)),
                f"{key.calls_a_minute}/min",
                f"{key.created_at:%Y-%m-%d %H:%M}",
                Cell("active", "green") if key.revoked_at is None else Cell("revoked", "dim"),
            ]
            for key in keys
        ],
    )  # fmt: skip
    return EXIT_DONE


def revoke(workplace: Workplace, arguments: Namespace) -> int:
    key = revoke_key(arguments.key_id, actor=workplace.actor, api_keys=workplace.state.api_keys, clock=workplace.clock)
    workplace.output.document(api_key_view(key))
    workplace.output.line(f"Key {key.id} ({shown(key.name)}) opens nothing any more.")
    return EXIT_DONE


def register(workplace: Workplace, arguments: Namespace) -> int:
    registered = register_callbacks(arguments.url, actor=workplace.actor, systems=_systems(workplace))
    _show(workplace, registered)
    return EXIT_DONE


def list_registered(workplace: Workplace, arguments: Namespace) -> int:
    _show(workplace, list_callbacks(systems=_systems(workplace)))
    return EXIT_DONE


def remove(workplace: Workplace, arguments: Namespace) -> int:
    _show(workplace, remove_callback(arguments.callback_id, actor=workplace.actor, systems=_systems(workplace)))
    return EXIT_DONE


def _show(workplace: Workplace, callbacks: Sequence[RegisteredCallback]) -> None:
    workplace.output.document({"items": [callback_view(item) for item in callbacks]})
    if not callbacks:
        workplace.output.line("The PSA was asked for no callbacks. Ask for them: trueup callbacks register.")
        return
    workplace.output.table(
        [Column("Callback"), Column("Tells of"), Column("Address", "text"), Column("State")],
        [
            [
                shown(item.id),
                shown(item.subject),
                shown(item.url, 200),
                Cell("active", "green") if item.active else Cell("switched off by the PSA", "red"),
            ]
            for item in callbacks
        ],
    )


def _systems(workplace: Workplace) -> CallbackSystems:
    return CallbackSystems(
        integrations=workplace.state.integrations,
        vault=bootstrap.vault(),
        connections=bootstrap.connections(),
        history=workplace.state.history,
        clock=workplace.clock,
    )
