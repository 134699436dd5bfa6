// What textual-serve's own page has in its template: where its websocket is. And what it does not: the focus.
const terminal = document.querySelector("#terminal");
terminal.dataset.sessionWebsocketUrl = `ws://${location.host}${location.pathname}ws`;

document.querySelector("#again").addEventListener("click", () => location.reload());

// The dashboard takes no keys before it is told that it has the focus, which it hears once it has drawn.
new MutationObserver((_, observer) => {
  if (document.body.classList.contains("-first-byte")) {
    observer.disconnect();
    document.querySelector(".xterm-helper-textarea").focus();
  }
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });
