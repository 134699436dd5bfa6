"""Who may call what: every call is refused unless a rule lets its token's role through."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final

import grpc

from chiatea.errors import ChiaTeaError
from chiatea.security.roles import Role, allows
from chiatea.security.tokens import TokenEntry, TokenStore

__all__ = ["RULES", "Authorization"]

_log = logging.getLogger(__name__)

RULES: Final[dict[str, Role | None]] = {
    "/chiatea.Monitoring/GetMachineState": Role.COLLECTOR,
    "/chiatea.Monitoring/SendMonitoringUpdate": Role.COLLECTOR,
    "/chiatea.Monitoring/Subscribe": Role.VIEWER,
    "/chiatea.Monitoring/ListEntries": Role.VIEWER,
    "/chiatea.Monitoring/QueryEvents": Role.VIEWER,
    "/chiatea.Monitoring/QueryHistory": Role.VIEWER,
    "/chiatea.CopyControl/CopierSession": Role.COLLECTOR,
    "/chiatea.CopyControl/ControlCopy": Role.OPERATOR,
    "/grpc.health.v1.Health/Check": None,
    "/grpc.health.v1.Health/Watch": None,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Role.VIEWER,
}
"""The role that each method needs; None: any role will do. A method without a rule is open to nobody."""

_REFUSAL: Final = "this token may not do that"


class Authorization(grpc.aio.ServerInterceptor):
    """Looks at the token of every call before its service sees it. All refusals sound alike."""

    def __init__(self, tokens: TokenStore, *, clock: Callable[[], float] = time.time) -> None:
        """Knows the tokens that the server accepts."""
        self._tokens = tokens
        self._clock = clock

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Lets the call through, or puts a refusal in its place."""
        handler = await continuation(handler_call_details)
        if handler is None or self._is_allowed(handler_call_details):
            return handler
        return _refusing(handler)

    def caller(self, context: "grpc.aio.ServicerContext[Any, Any]") -> TokenEntry | None:
        """Whose token a call came with; None where it is accepted no more, since it let the call through."""
        try:
            return self._entry_of(_token_of(context.invocation_metadata()))
        except ChiaTeaError:
            return None

    def _entry_of(self, token: str) -> TokenEntry | None:
        return self._tokens.role_of(token, self._clock()) if token else None

    def _is_allowed(self, details: grpc.HandlerCallDetails) -> bool:
        token = _token_of(details.invocation_metadata)
        try:
            entry = self._entry_of(token)
        except ChiaTeaError as error:
            _log.error("tokens cannot be read: %s", error)
            return False
        if entry is not None and details.method in RULES:
            needed = RULES[details.method]
            if needed is None or allows(entry.role, needed):
                return True
        reason = "without a token" if not token else "with an unknown token" if entry is None else f"as {entry.role}"
        _log.warning("refused %s called %s", details.method, reason)
        return False


def _token_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    for key, value in metadata or ():
        if key == "authorization" and isinstance(value, str) and value.startswith("Bearer "):
            return value.removeprefix("Bearer ")
    return ""


def _refusing(handler: Any) -> "grpc.RpcMethodHandler[Any, Any]":
    """A handler of the same shape that refuses."""

    async def refuse(_: Any, context: "grpc.aio.ServicerContext[Any, Any]") -> None:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, _REFUSAL)

    async def refuse_stream(_: Any, context: Any) -> AsyncIterator[Any]:
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, _REFUSAL)
        yield

    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    make: Any = makers[handler.request_streaming, handler.response_streaming]
    return make(  # type: ignore[no-any-return]
        refuse_stream if handler.response_streaming else refuse,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
