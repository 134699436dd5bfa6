"""What Chia says all day and nobody needs: how the texts of such lines begin, by service.

Taken from recorded logs and from the source of Chia 2.7.5 (its calls of `log.info` and `log.warning`); what older
releases said is here too. What a reader in log_lines.py takes is not, so that a change of its wording shows.
"""

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["is_daily_noise", "is_known_uninteresting"]

_NO_LETTERS: Final = re.compile(r"[^\w{'`<>-]+")
"""Emoji, spaces and tabs before the first word."""

# fmt: off
_EVERY: Final = (
    "-> ", "<- ", "Accepting connection from", "Add resolved ", "Cancelling reconnect", "Closed RPC", "Closing RPC",
    "Closing connections", "Connected to a node with the same", "Connected with ", "Connection close requested",
    "Default port field not found", "Disconnecting peer ", "Dropping timed out request ID", "Failed to connect to ",
    "Heap usage:", "Host ", "Ignoring late response", "Rate limiting ourselves", "Received signal ",
    "Reconnecting to keychain", "Close signal received from keychain", "Request timeout:",
    "Selected multiprocessing start method", "Service capabilities: ", "Started ",
    "Starting memory profiler", "Starting profiler", "Starting service ", "Stopping service ", "Trying to connect to ",
    "Waiting for ", "chia-blockchain version:", "logging SQL commands", "peer disconnected ", "thread pool: ",
    "trusted peers check disabled",
)
_PEERS: Final = (
    "Activating rate limits", "Address manager", "Attempting to enable UPnP", "Closing Full Node peers",
    "Connection close", "Creating new address_manager", "Initialising Full Node peers", "Loading peers from ",
    "Not accepting inbound", "Peer has been rate limited (v", "Port ", "Received block with timestamp too far",
    "Received unsolicited transaction", "Removal of previous portmapping", "Saving peer data",
    "Successfully closed Full Node peers", "Successfully initialised Full Node peers", "UPnP", "importing miniupnpc",
)
_DAEMON: Final = (
    "Closing websocket with", "Daemon Server stopping", "Daemon WebSocketServer closed", "Peer disconnected. Closing",
    "Plotting will start", "Post-processing plotter job", "Register service ", "Running check_keys", "Service ",
    "Starting Daemon Server", "Starting plotting with ID", "chia daemon exiting", "process ", "registered for service ",
    "sending CTRL_BREAK", "sending kill signal", "sending term signal", "{'success': True}",
)
_HARVESTER: Final = (
    "File: ", "Loaded ", "Only loading plots that contain", "Parsed ", "Proof dropped due to ", "Saved ",
    "Using plots_refresh_parameter", "_plot_refresh_callback: event b",
    "_plot_refresh_callback: event s", "_send_next_message ", "`harvester.plot_loading_frequency",
)
_FARMER: Final = (
    "Added pool: ", "Connected to solver", "Did not find pool info", "Disconnected from solver",
    "Farmer reward for challenge", "Fee threshold passed", "GET /", "POST /", "PUT /", "Pool response: ",
    "Proof of space not good enough for pool", "Received V2 partial proof collection", "Submitting partial for ",
    "Surpassed ", "Welcome message from ", "reset: node_id ",
)
_FULL_NODE: Final = (
    "Add rem: ", "Added ", "Already ", "Awaiting ", "Batch syncing stopped", "Beginning simulated",
    "Block was processed", "Blockchain initialized", "Broadcasting ", "Collected a total of ", "Cumulative ", "DB: ",
    "Did not find any uncompact", "Disconnected block", "Don't have ", "Done validating", "Dropping unfinished block",
    "Duplicate compact proof", "End of slot not added", "Exception while checking a mempool item", "Failed to load ",
    "Fee Estimator", "Getting random heights", "Got peak ", "Height ", "Heights found for bluebox", "Ignoring ",
    "Initialized with empty", "Initializing blockchain", "Loaded sub-epoch", "Long sync task",
    "Made the unfinished block", "Not adding unfinished", "Not broadcasting uncompact", "Peer ",
    "Processing Item from pending", "Re-checked peers", "Received ", "RegisterForPhUpdates", "Rejecting transaction ",
    "Replaced compact proof", "Replacing conflicting tx", "Requesting weight proof", "Scheduled ", "Selected peak ",
    "Simulated block", "Size of mempool", "Skipped ", "Skipping ", "Start syncing from", "Starting batch",
    "Starting to make", "Starting to perform sync", "TX task ", "Time for header", "Total of ", "Transaction with cost",
    "Trying to ", "Updated ", "Validated ", "add bad peak", "add_spendbundle ", "adding TX batch",
    "adding new block to coin_store", "additions: ", "block has equal weight", "blockchain database ", "cancelling ",
    "chain to short", "coins spent in fork", "create weight proof", "did not ", "exiting early", "got new difficulty",
    "got weight proof", "invalid proof of space in weight", "long sync done", "make_sub_epoch_summary",
    "opening blockchain", "peer timed out after", "peer took ", "peers with peak", "pre_validate_spendbundle",
    "recent chain", "removals: ", "removed: ", "rewards: ", "rolled back ", "rolling back ", "sub epoch summary",
    "sync pipeline", "trying to add residual", "unspent: ", "using blockchain database", "v1 proof has been",
    "v2 proof support", "validat", "wrong new difficulty",
)
_WALLET: Final = (
    "Added ", "Adding NFT", "Adding a new NFT", "Adding new NFT", "Adding parent", "Already have state",
    "Apply race cache", "Attempting to add urls", "Backtrack exceeded", "Beginning migration", "CAT wallet",
    "COMPLETE OFFER", "CR-CAT", "Cancelling ", "Cannot find a NFT", "Checking if we need", "Claiming clawback",
    "Closing peer", "Completed ", "Confirmed balance", "Connected peer ", "Connected to a synced", "Converting ",
    "Created ", "Creating ", "DID ", "Deleted ", "Disabled resync", "Disconnecting, full node", "Done: ",
    "Enabled resync", "Failed to obtain ", "Farmer coin: ", "Filtered ", "Finished processing new peak", "Found ",
    "Generating public key", "Ignoring peak", "It took ", "Marking tx=", "NFT wallet", "New ", "No NFT",
    "Not finishing plotnft", "Peak set to: ", "Peer ", "Pending approval", "Process reorged", "Queue task", "Received ",
    "Removed ", "Removing ", "Reset", "Retry task", "Reverting ", "Rolling back to ", "Secondary peer syncing",
    "Secure-Cancel", "Setting tx_id", "Short sync rejected", "SpendBundle has been received", "Start: ",
    "Start cancelling", "Starting sync", "Subscribing to ", "Successfully subscribed", "Sync (trusted",
    "Terminating receipt", "This offer can't", "Trade with id", "Tried removing", "Updated ", "Updating last used",
    "Using first key", "Wallet is logged in", "Wallet received ", "Will not do secondary", "clear_after_height",
    "coins is not None", "coins_of_interest", "disconnected from ", "new coin state received", "parent: ",
    "perform_atomic_rollback", "pool wallet truncating", "request coin: ", "retrying coin_state", "self._",
    "set_sync_mode ", "spend_value is",
)
_NOISE: Final = (
    "API not ready, ignore", "ApiError: ", "Banning ", "Cannot write to closing transport", "Connection failed to ",
    "Do not have sub slot", "Dropping unfinished block", "Exception closing socket", "Handshake timeout from",
    "Incompatible network ID", "Invalid handshake with peer", "Invalid message: ", "Non-trusted peer", "Peer ",
    "Previous block is None", "Received unsolicited", "Skipping mempool item", "Transaction queue full",
    "Trying to ban ", "cannot connect to ", "protocol version mismatch", "querying DNS introducer", "reject_blocks ",
    "unsolicited reject_block", "updating the mempool using the slow-path", "validating spend took too long",
)
_NOISE_ERRORS: Final = (
    "API call type mismatch", "Banning peer ", "Disconnecting peer for ", "Peer ", "WebSocket Error: ",
)
# fmt: on
_INFO: Final[Mapping[str, tuple[str, ...]]] = {
    "daemon": _EVERY + _DAEMON,
    "farmer": _EVERY + _FARMER,
    "full_node": _EVERY + _PEERS + _FULL_NODE,
    "harvester": _EVERY + _HARVESTER,
    "wallet": _EVERY + _PEERS + _WALLET,
}
_SILENT_MODULES: Final = frozenset(
    {
        "chia.consensus.blockchain", "chia.consensus.block_height_map", "chia.full_node.block_store",
        "chia.full_node.coin_store", "chia.full_node.fee_estimator", "chia.full_node.fee_tracker",
        "chia.full_node.full_node_store", "chia.full_node.hint_store", "chia.full_node.mempool",
        "chia.full_node.mempool_manager", "chia.full_node.subscriptions", "chia.full_node.weight_proof",
        "chia.server.address_manager", "chia.server.upnp",
    }
)  # fmt: skip
"""Nothing that these say at INFO is about a farm."""
_NOT_WATCHED: Final = frozenset(
    {
        "crawler", "data_layer", "data_layer_http", "dns", "introducer", "seeder", "simulator", "solver", "timelord",
        "timelord_launcher",
    }
)  # fmt: skip
"""Services of Chia that say nothing of a farm."""


def is_known_uninteresting(service: str, module: str, level: str, text: str) -> bool:
    """Whether a line of which no reader made anything is known, and of no interest."""
    if level == "DEBUG":
        return True
    if level != "INFO":
        return False
    if service in _NOT_WATCHED or module in _SILENT_MODULES:
        return True
    return _from_first_word(text).startswith(_INFO.get(service, ()))


def is_daily_noise(service: str, level: str, text: str) -> bool:
    """Whether a warning or an error is of a kind that every farm has all day, and that nobody needs to know of.

    To a full node and a wallet strangers connect; a farmer's and a harvester's connections are the farm's own.
    """
    if service not in {"full_node", "wallet"}:
        return False
    return _from_first_word(text).startswith(_NOISE if level == "WARNING" else _NOISE_ERRORS)


def _from_first_word(text: str) -> str:
    match = _NO_LETTERS.match(text)
    return text[match.end() :] if match else text
