// Asks for the API key when the server wants one. The key stays in this tab (sessionStorage) and goes to this server only.
class KeyForm {
  // tryKey(): throws a ServerError when the server still refuses
  constructor(tryKey) {
    this.tryKey = tryKey;
    this.node = null;
    this.after = [];
  }

  // Shows the form with the server's words; `then` runs once a key was accepted.
  ask(message, then) {
    if (then) this.after.push(then);
    if (!this.node) this.build();
    this.message.textContent = message;
    this.input.focus();
  }

  build() {
    this.message = h("p", {class: "key-message", id: "key-message", role: "alert"});
    this.input = h("input", {id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, "aria-describedby": "key-message"});
    this.button = h("button", {type: "submit", class: "primary"}, "Unlock");
    const submit = (event) => {
      event.preventDefault();
      this.submit();
    };
    this.node = h("form", {class: "key-form", onsubmit: submit}, h("label", {for: "key"}, "API key"),
      h("div", {class: "key-row"}, this.input, this.button), this.message,
      h("p", {class: "hint-text"}, "It is kept until this tab is closed."));
    byId("notice").append(this.node);
  }

  async submit() {
    const key = this.input.value.trim();
    // What a header can't carry is no key; fetch would refuse it with a puzzling error.
    if (!/^[\x21-\x7e]+$/.test(key)) {
      this.message.textContent = "A key has visible ASCII characters only.";
      return;
    }
    writeKey(key);
    this.button.disabled = true;
    try {
      await this.tryKey();
    } catch (error) {
      this.message.textContent = error.message;
      this.button.disabled = false;
      this.input.select();
      return;
    }
    this.node.remove();
    this.node = null;
    byId("prompt").focus();
    for (const then of this.after.splice(0)) then();
  }
}
