"""Chia's warnings and errors that no other kind of observation is for, as complaints. Pure.

Which of them are known is taken from the source of Chia 2.7.5; one that is not known is a complaint all the same, and
counts as not understood.
"""

import re
from collections.abc import Mapping
from typing import Final

from chiatea.collector.observations import Complaint
from chiatea.collector.sources.log.log_form import LogLine
from chiatea.protobuf.chia_pb2 import ChiaNotice

__all__ = ["COMPLAINING", "complaint_of_line", "is_known_complaint"]

COMPLAINING: Final = frozenset({"WARNING", "ERROR", "CRITICAL"})
_LETTERS: Final = 200
_SPACES: Final = re.compile(r"\s+")
_TRACEBACK: Final = "Traceback (most recent call last)"

# fmt: off
_PARTIALS: Final = (
    "Error connecting to pool", "Error in pooling", "Error sending partial to", "Invalid pool partial response",
    "Invalid response from harvester:", "No authentication sk for", "No pool specific authentication_token_timeout",
    "No pool specific difficulty", "Not logged into pool", "Partial not good enough",
)
"""A partial that did not come to the pool, or that it refused (chia/farmer/farmer_api.py)."""
_EVERY: Final = (
    "Can not connect to keychain", "Cannot connect to daemon", "Connection failed to ", "Error during receive",
    "Error while canceling task", "Error while handling message", "Exception", "Failed setting event for",
    "Failed to resolve", "Invalid connection type", "Non existing function", "Permissions ",
    "Peer has been rate limited", "Sending data failed", "Starting RPC server failed", "Task not found",
    "Timeout error for", "Traceback: ", "Unexpected WebSocket", "WebSocket Error", "Banning ", "Disconnecting peer ",
    "Invalid message: ", "Incompatible network ID", "Invalid handshake with peer", "Handshake timeout",
    "API call type mismatch", "API not ready", "ApiError: ", "protocol version mismatch", "cannot connect to ",
    "Trying to ban ",
)
_KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "daemon": (
        "Error during killing", "Failed to remove keyring", "Failed to set keyring", "Keyring passphrase", "UK>> ",
        "Unexpected exception trying to send", "_post_process_plotting_job", "check_keys failed", "problem starting",
    ),
    "farmer": (
        *_PARTIALS, "Attempting to ", "Do not have challenge hash", "Do not have quality string",
        "Don't have the private key", "Error in ", "Error loading config", "Failed to authenticate to pool",
        "Failed to call solver", "Failed to get authentication", "Failed to update farmer info",
        "Harvester illegitimately took", "Have invalid PoSpace", "Invalid error code received", "Invalid fee threshold",
        "Invalid pool difficulty", "Invalid proof of space", "Invalid response from harvester", "Launcher id: ",
        "No keys exist", "Pool URLs must be HTTPS", "Received empty proof from solver",
        "Received partial proofs for a signage point", "Received response for a signage point",
        "Received solver response", "Respond plots came too late", "_periodically_clear_cache", "_process: node_id",
        "_update_callback: node_id", "GET /", "POST /", "PUT /",
    ),
    "full_node": (
        "Block validation: ", "Block ", "Broadcasting ", "Can't find block for given", "Cannot farm blocks",
        "Consensus error validating", "Could not replace compact", "Did not find ", "Do not have unfinished",
        "Dropping farmed", "Err.", "Error creating block generator", "Error farming block", "Error in _handle_one",
        "Error making spend bundle", "Error short batch syncing", "Error while adding block", "Error with syncing",
        "Error: ", "Failed to ", "Have different sub-slots", "Height ", "INVALID WEIGHT", "Inconsistent blockchain DB",
        "Invalid header MMR", "Looking up hints", "No peer confirmed", "Not syncing, no peers", "Quality string",
        "Received compact vdf", "Received invalid proof", "Received proof of ", "Received the wrong block",
        "Received vdf proof", "Sending initial mempool", "Signature not valid", "Syncing failed",
        "Time for header validate", "Too many blocks added", "ValidationError in", "Wallet sync task failure",
        "Was not able to ", "_replace_proof error", "add_spendbundle ", "cheap parser failed", "create_b",
        "failed creating weight proof", "failed fetching ", "failed to ", "got weight proof request",
        "invalid cost of generated", "new_peak() took", "peer ", "pre_validate_spendbundle", "prevalidation failed",
        "required_iters is None", "serializing block generator", "sync from fork point failed", "weight proof failed",
    ),
    "harvester": (
        "Currently only compression levels", "Directory: ", "Error checking if directory", "Error reading directory",
        "Error using prover object", "Failed V2 partial proof lookup", "Failed to load cache", "Failed to save cache",
        "GPU harvesting failed", "No decompressor available", "Suspicious cache entry", "Unknown error: ",
        "_refresh_callback raised", "set_response ",
    ),
    "wallet": (
        "Error fetching blocks", "Error syncing to", "Failed to add coin_state", "Failed to validate coin_state",
        "Key not found", "Keyring is locked", "Missing keychain_proxy", "No keys present", "Skipping ",
        "SpendBundle has been rejected", "add_coin_states", "add_states_from_peer", "validate_and_add failed",
    ),
}
# fmt: on
_HARVESTER_ENDINGS: Final = ("does not end with -[64 char plot ID].plot", "while configuring decompressor.")


def complaint_of_line(line: LogLine, time: float) -> Complaint | None:
    """What a warning or an error complains of; None for any other line."""
    if line.level not in COMPLAINING:
        return None
    if line.service == "farmer" and line.text.startswith(_PARTIALS):
        kind = ChiaNotice.PARTIAL_FAILED
    else:
        kind = ChiaNotice.NODE_WARNING if line.service == "full_node" else ChiaNotice.SERVICE_ERROR
    text = _SPACES.sub(" ", line.text[:2000].partition(_TRACEBACK)[0]).strip()
    return Complaint(time, kind, line.service[:40], text[:_LETTERS] or line.level.lower())


def is_known_complaint(line: LogLine) -> bool:
    """Whether Chia 2.7.5 is known to say that."""
    return line.text.startswith(_EVERY + _KNOWN.get(line.service, ())) or (
        line.service == "harvester" and line.text.rstrip().endswith(_HARVESTER_ENDINGS)
    )
