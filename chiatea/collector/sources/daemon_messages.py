"""Messages of Chia's daemon as observations. Pure. The forms are those of Chia 2.7.5, seen on its websocket."""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from chiatea.chia.untrusted import count, integer, items, mapping, number, plain_hex
from chiatea.collector.observations import (
    AnswerGiven,
    FullNodeTold,
    HarvesterRemoved,
    HarvestersListed,
    Lookup,
    Observation,
    PartialTold,
    ProofFound,
    SignagePointSent,
    WalletChanged,
)
from chiatea.collector.sources.rpc_answers import connections_of, full_node_of, harvester_of_summary

__all__ = ["METRICS", "WALLET_UI", "may_tell", "observation_of_message", "registration"]

METRICS: Final = "metrics"
WALLET_UI: Final = "wallet_ui"
_SOURCE: Final = "chia daemon"
_HEARD_TWICE: Final = frozenset({"chia_farmer", "chia_harvester"})
"""Whose messages are taken from both registrations; all others' from `metrics`."""


def registration(service_name: str) -> dict[str, Any]:
    """The message that registers a client for a service's news."""
    return {
        "command": "register_service",
        "ack": False,
        "origin": service_name,
        "destination": "daemon",
        "request_id": secrets.token_hex(32),
        "data": {"service": service_name},
    }


def may_tell(message: str, registered_as: str) -> bool:
    """Whether it is worth to read a message at all.

    A full node tells `wallet_ui` all of its 80 peers, tens of kB, whenever one changes its peak (rpc_server.py).
    """
    if registered_as != WALLET_UI or '"register_service"' in message:
        return True
    return any(f'"{origin}"' in message for origin in _HEARD_TWICE)


def observation_of_message(message: object, registered_as: str, time: float) -> Observation | None:
    """What one message tells, or None where it tells nothing that is watched.

    Args:
        message: the JSON as it came.
        registered_as: the registration that it came to. Most comes to both, and is told of both: the watchdog takes it
            once. Chia's farmer tells connections and failed partials to `wallet_ui` only, proofs to `metrics` only
            (farmer_rpc_api.py); older Chia tells nothing to `metrics`.
        time: when it came, in UTC seconds.
    """
    whole = mapping(message)
    command, origin, data = whole.get("command"), whole.get("origin"), mapping(whole.get("data"))
    if not isinstance(command, str) or not isinstance(origin, str):
        return None
    if registered_as == WALLET_UI and origin not in _HEARD_TWICE:
        return None
    if (origin, command) in _NAMELESS:
        return _NAMELESS[origin, command](data, time, f"{_SOURCE} {registered_as}")
    reader = _READERS.get((origin, command))
    return reader(data, time) if reader is not None else None


def _lookup(data: Mapping[str, Any], time: float, source: str) -> Lookup | None:
    seconds = number(data.get("time"))
    challenge = plain_hex(data.get("challenge_hash"))
    if seconds is None or not challenge:
        return None
    return Lookup(
        time=time,
        source=source,
        challenge_prefix=challenge[:10],
        eligible_plots=count(data.get("eligible_plots")),
        proofs=count(data.get("found_proofs")),
        seconds=max(0.0, round(seconds, 5)),
        n_plots=count(data.get("total_plots")),
        v2_qualities=count(data.get("found_v2_partial_proofs")),
    )


def _signage_point(data: Mapping[str, Any], time: float) -> SignagePointSent | None:
    point = mapping(data.get("signage_point"))
    signage_point = plain_hex(point.get("challenge_chain_sp"))
    if not signage_point:
        return None
    missing = items(data.get("missing_signage_points"))
    index = integer(point.get("signage_point_index")) or 0
    return SignagePointSent(
        time=time,
        challenge_hash=plain_hex(point.get("challenge_hash")),
        signage_point=signage_point,
        index=index if 0 <= index <= 64 else 0,
        difficulty=integer(point.get("difficulty")),
        n_skipped=count(missing[1]) if len(missing) == 2 else 0,
    )


def _answer(info: Mapping[str, Any], time: float) -> AnswerGiven | None:
    node_id, signage_point = plain_hex(info.get("node_id")), plain_hex(info.get("signage_point"))
    if not signage_point:
        return None
    microseconds = number(info.get("lookup_time"))
    return AnswerGiven(
        time=time,
        node_id=node_id,
        challenge_hash=plain_hex(info.get("challenge_hash")),
        signage_point=signage_point,
        eligible_plots=count(info.get("passed_filter")),
        proofs=count(info.get("proofs")),
        seconds=max(0.0, round(microseconds / 1e6, 6)) if microseconds is not None else None,
    )


def _harvester_update(data: Mapping[str, Any], time: float) -> HarvestersListed | None:
    harvester = harvester_of_summary(data)
    return HarvestersListed(time, (harvester,), is_all=False) if harvester else None


def _proof(data: Mapping[str, Any], time: float) -> ProofFound:
    proof = mapping(data.get("proof"))
    space = mapping(proof.get("proof_of_space"))
    parts = (proof.get("challenge_chain_sp"), space.get("plot_public_key"), space.get("proof"))
    named = "/".join(plain_hex(part) for part in parts)
    return ProofFound(time, hashlib.blake2b(named.encode(), digest_size=16).hexdigest())


def _partial(data: Mapping[str, Any], time: float, source: str, *, is_accepted: bool) -> PartialTold:
    points = integer(data.get("points_acknowledged_since_start"))
    return PartialTold(time, is_accepted, f"{plain_hex(data.get('launcher_id'))}/{points}", source)


def _harvester_removed(data: Mapping[str, Any], time: float) -> HarvesterRemoved | None:
    node_id = plain_hex(data.get("node_id"))
    return HarvesterRemoved(time, node_id) if node_id else None


def _blockchain_state(data: Mapping[str, Any], time: float) -> FullNodeTold | None:
    return FullNodeTold(time, full_node_of(data)) if mapping(data.get("blockchain_state")) else None


_READERS: Final[Mapping[tuple[str, str], Callable[[Mapping[str, Any], float], Observation | None]]] = {
    ("chia_farmer", "new_signage_point"): _signage_point,
    ("chia_farmer", "new_farming_info"): lambda data, time: _answer(mapping(data.get("farming_info")), time),
    ("chia_farmer", "harvester_update"): _harvester_update,
    ("chia_farmer", "harvester_removed"): _harvester_removed,
    ("chia_farmer", "get_connections"): lambda data, time: connections_of(data, "farmer", time),
    ("chia_farmer", "proof"): _proof,
    ("chia_full_node", "get_blockchain_state"): _blockchain_state,
    ("chia_wallet", "coin_added"): lambda _, time: WalletChanged(time),
    ("chia_wallet", "sync_changed"): lambda _, time: WalletChanged(time),
}

_NAMELESS: Final[Mapping[tuple[str, str], Callable[[Mapping[str, Any], float, str], Observation | None]]] = {
    ("chia_harvester", "farming_info"): _lookup,
    ("chia_farmer", "submitted_partial"): partial(_partial, is_accepted=True),
    ("chia_farmer", "failed_partial"): partial(_partial, is_accepted=False),
}
"""What has no name of its own: who tells it is part of it."""
