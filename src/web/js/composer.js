// The one text box. Enter gives the text to whatever the box is for at the moment: a new message, an edit of the last one, the
// result of a tool call. While an answer streams there is Stop in place of Send, and Enter waits.
class Composer {
  // actions: {send(text), stop()}
  constructor(actions) {
    this.actions = actions;
    this.box = byId("prompt");
    this.mode = null;  // {text, placeholder, submit(text)} while the box is for something else
    this.draft = "";   // what stood in the box before that
    this.running = false;
    this.sendButton = h("button", {type: "submit", class: "send", "aria-label": "Send", title: "Send"}, icon("send"));
    this.stopButton = h("button", {type: "button", class: "stop", onclick: () => this.actions.stop()}, icon("stop"), "Stop");
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    byId("mode-cancel").addEventListener("click", () => this.leaveMode());
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("input", () => this.fit());
    window.addEventListener("resize", () => this.fit());
    this.setRunning(false);
  }

  key(event) {
    const composing = event.isComposing || event.keyCode === 229;  // Enter that takes a suggestion of an input method
    if (event.key === "Enter" && !event.shiftKey && !composing) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape") {
      if (this.running) this.actions.stop();
      else if (this.mode) this.leaveMode();
    }
  }

  submit() {
    const text = this.box.value;
    if (this.running || (!text.trim() && !this.mode)) return;
    const mode = this.mode;
    if (mode && !mode.allowEmpty && !text.trim()) return;
    if (mode) this.leaveMode();
    else this.setText("");
    if (mode) mode.submit(text);
    else this.actions.send(text);
  }

  setText(text) {
    this.box.value = text;
    this.fit();
  }

  fit() {
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight, Math.round(window.innerHeight * 0.4))}px`;
    this.sendButton.disabled = !this.box.value.trim() && !(this.mode && this.mode.allowEmpty);
  }

  enterMode(mode, text) {
    if (!this.mode) this.draft = this.box.value;
    this.mode = mode;
    byId("mode-text").textContent = mode.text;
    byId("mode").hidden = false;
    this.box.placeholder = mode.placeholder;
    this.setText(text);
    this.focus();
  }

  leaveMode() {
    if (!this.mode) return;
    this.mode = null;
    byId("mode").hidden = true;
    this.box.placeholder = "Write a message";
    this.setText(this.draft);
    this.draft = "";
    this.focus();
  }

  setRunning(running) {
    const focused = byId("action").contains(document.activeElement);
    this.running = running;
    byId("action").replaceChildren(running ? this.stopButton : this.sendButton);
    if (focused) this.focus();
    this.fit();
  }

  focus() {
    this.box.focus();
  }
}
